"""What each of several processes does in `test_processes.py`, with torch's own variables set."""

from pathlib import Path

import torch

from robust_tickets.pruning.parametrisations import HardConcrete, Movement
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AtStep
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import DropAndGrowTimeline, Early, Gradual, Iterative, OneShot
from robust_tickets.training.drawing import Drawing
from tests.training.small import PER_EPOCH, Run
from tests.training.test_checkpoints import SCALED

ITERATIVE = Iterative(rate=0.5, rounds=2, epochs=1).plan(None, PER_EPOCH)
MOVING = DropAndGrowTimeline(every=2, fraction=0.5, end=0.9, epochs=2).plan(0.8, PER_EPOCH)
RIGL = Selection.model_validate({"score": "random", "scope": "erk"})
LEARNED = Selection.model_validate({"score": "learned"})
ONCE = OneShot(epochs=2).plan(0.5, PER_EPOCH)
GRADUAL = Gradual(initial=0.1, start=0.5, end=1.5, every=0.25, epochs=2).plan(0.5, PER_EPOCH)
PGD = {"objective": {"kind": "pgd", "threat": {"epsilon": 0.1, "steps": 2}}, "keep": "best"}
BATCH = {"batch_size": 16}


def runs(folder: Path | None) -> dict[str, Run]:
    """Train in every way that treats several processes apart; a batch is 16 images over all of them."""
    return {
        "iterative": Run(
            ITERATIVE, BATCH, drawing=Drawing(rewind=AtStep(steps=2)), folder=folder and folder / "iterative"
        ),
        "moving": Run(MOVING, BATCH | {"ema": 0.5}, drawing=Drawing(RIGL), folder=folder and folder / "moving"),
        "gates": Run(
            ONCE,
            BATCH | {"accumulate": 2},
            drawing=Drawing(LEARNED, parametrisation=HardConcrete(delay=0)),
            folder=folder and folder / "gates",
        ),
        "movement": Run(
            GRADUAL,
            BATCH | {"objective": {"kind": "distillation", "hidden": 1, "layers": ["conv*"]}},
            drawing=Drawing(LEARNED, parametrisation=Movement(lr=0.1)),
            folder=folder and folder / "movement",
        ),
        "coefficients": Run(
            Early(epochs=2, every=2).plan(0.5, PER_EPOCH),
            BATCH,
            drawing=SCALED,
            folder=folder and folder / "coefficients",
        ),
        "transfer": Run(Plan(8, ()), {**BATCH, **PGD}, folder=folder and folder / "transfer"),
    }


def main(folder: Path, rank: str) -> None:
    """Train, and keep what this process ended on."""
    ended = {
        name: {
            "state": run.state,
            "masks": run.result.masks,
            "tickets": [state for _, _, state in run.tickets],
            "history": run.result.history,
        }
        for name, run in runs(folder).items()
    }
    torch.save(ended, folder / f"rank-{rank}.pt")
