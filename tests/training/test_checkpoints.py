"""Rule 8: a training that was cut off, however often, ends as if it had not been, bit for bit."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pruning.parametrisations import (
    Bernoulli,
    Coefficients,
    HardConcrete,
    Movement,
    SoftMovement,
    SoftThreshold,
    StraightThrough,
    Thresholded,
)
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AtStep, NoRewind, Reinitialised
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Alternating, DropAndGrowTimeline, Early, Gradual, Iterative, OneShot
from robust_tickets.training.drawing import Drawing
from tests.training.searches import ADAMW, SEARCH, drawing, planned
from tests.training.small import PER_EPOCH, PRUNABLE, Interrupted, Run, classifier, equal

STANDARD: dict[str, Any] = {}
PGD = {"objective": {"kind": "pgd", "threat": {"epsilon": 0.1, "steps": 2}}}
FREE = {"objective": {"kind": "free", "epsilon": 0.1, "replays": 2}}
FGSM = {"objective": {"kind": "fgsm-rs", "epsilon": 0.1}}
SMOOTHING = {"objective": {"kind": "smoothing", "sigma": 0.1}}
DISTILLED = {"objective": {"kind": "distillation", "hidden": 0.5, "layers": ["conv*"]}}

ITERATIVE = Iterative(rate=0.5, rounds=3, epochs=1)
PRUNE_FIRST = Iterative(order="prune-first", rate=0.5, rounds=3, epochs=1.5)
GRADUAL = Gradual(initial=0.1, start=0.5, end=2, every=0.5, epochs=3)
ALTERNATING = Alternating(warm_up=0.5, compressed=0.5, dense=0.5, final=2.5, epochs=3)
MOVING = DropAndGrowTimeline(every=2, fraction=0.5, end=0.9, epochs=3)
SET = MOVING.model_copy(update={"grow": "random", "decay": "constant"})
RIGL = Selection.model_validate({"score": "random", "scope": "erk"})
LEARNED = Selection.model_validate({"score": "learned", "scope": "layer"})
GLOBAL = Selection.model_validate({"score": "learned"})
CHANNELS = Selection.model_validate({"group": "channel", "scope": "layer"})

COUPLINGS = trace_couplings(classifier().body, torch.zeros(1, 1, 8, 8), PRUNABLE)
SCALED = Drawing(
    Selection.model_validate({"score": "learned", "group": "channel", "scope": "layer"}),
    COUPLINGS,
    Coefficients(penalty=0.01),
    sparsity=0.5,
)

CASES: dict[str, tuple[Plan, dict[str, Any], Drawing | None]] = {
    "transfer": (Plan(12, ()), STANDARD, None),
    "transfer, best of half epochs": (Plan(12, ()), ADAMW | {"keep": "best", "validate_every": 0.5}, None),
    "transfer, patience": (Plan(30, ()), {"keep": "best", "patience": 4, "validate_every": 0.5}, None),
    "transfer, average": (Plan(12, ()), PGD | {"ema": 0.9, "keep": "best"}, None),
    "transfer, free": (Plan(12, ()), FREE | {"label_smoothing": 0.1, "clip_norm": 1.0}, None),
    "transfer, mixup": (Plan(12, ()), {"mixup": 0.4, "accumulate": 2, "warmup": 1}, None),
    "transfer, cutmix": (Plan(12, ()), SMOOTHING | {"cutmix": 1.0}, None),
    "iterative": (ITERATIVE.plan(None, PER_EPOCH), {"ema": 0.9}, Drawing()),
    "iterative, prune first": (PRUNE_FIRST.plan(None, PER_EPOCH), PGD | ADAMW, Drawing(rewind=NoRewind())),
    "iterative, step k": (ITERATIVE.plan(None, PER_EPOCH), FREE, Drawing(rewind=AtStep(steps=2))),
    "iterative, reinitialised": (ITERATIVE.plan(None, PER_EPOCH), FGSM, Drawing(rewind=Reinitialised())),
    "gradual": (GRADUAL.plan(0.8, PER_EPOCH), FGSM | {"ema": 0.8, "accumulate": 2}, Drawing()),
    "alternating": (ALTERNATING.plan(0.8, PER_EPOCH), ADAMW | {"mixup": 0.2}, Drawing()),
    "drop and grow": (MOVING.plan(0.8, PER_EPOCH), STANDARD, Drawing(RIGL)),
    "drop and grow, adamw": (MOVING.plan(0.8, PER_EPOCH), ADAMW, Drawing(RIGL)),
    "drop and grow, at random": (SET.plan(0.8, PER_EPOCH), STANDARD, Drawing(RIGL)),
    "drop and grow, free": (MOVING.plan(0.8, PER_EPOCH), FREE, Drawing(RIGL)),
    "learned mask": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        PGD | {"ema": 0.5},
        Drawing(LEARNED, parametrisation=StraightThrough(train_head=True), sparsity=0.8),
    ),
    "learned gates": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        PGD | ADAMW | {"accumulate": 2, "validate_every": 0.5},
        Drawing(GLOBAL, parametrisation=HardConcrete(), sparsity=0.8),
    ),
    "sampled gates": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        ADAMW | {"ema": 0.5, "accumulate": 2, "validate_every": 0.5},
        Drawing(GLOBAL, parametrisation=Bernoulli(penalty=1e-4, train_head=True), sparsity=0.8),
    ),
    "coefficients, drawn early": (Early(epochs=3, every=2).plan(0.5, PER_EPOCH), {"ema": 0.9, "accumulate": 2}, SCALED),
    "coefficients, drawn once draws agree": (
        Early(epochs=5, every=2, threshold=1.0, times=4).plan(0.5, PER_EPOCH),
        PGD | ADAMW,
        SCALED,
    ),
    "gradual, distilled": (GRADUAL.plan(0.8, PER_EPOCH), DISTILLED | {"accumulate": 2}, Drawing()),
    "masks by thresholds, distilled": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        {"objective": {"kind": "distillation", "task": 0, "soft_labels": 0, "hidden": 1, "layers": ["conv*"]}},
        Drawing(LEARNED, parametrisation=Thresholded(threshold=0.001, every=3), sparsity=0.8),
    ),
    "movement": (GRADUAL.plan(0.8, PER_EPOCH), ADAMW, Drawing(GLOBAL, parametrisation=Movement())),
    "movement, distilled, average": (
        GRADUAL.plan(0.8, PER_EPOCH),
        DISTILLED | {"ema": 0.8},
        Drawing(LEARNED, parametrisation=Movement(lr=1)),
    ),
    "soft movement, the best of half epochs": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        {"keep": "best", "validate_every": 0.5},
        Drawing(GLOBAL, parametrisation=SoftMovement(), rewind=NoRewind()),
    ),
    "soft thresholds, open": (
        OneShot(epochs=3).plan(0.9, PER_EPOCH),
        {"accumulate": 2},
        Drawing(GLOBAL, parametrisation=SoftThreshold(start=-3, decay=0.1), rewind=NoRewind(), sparsity=None),
    ),
    "soft thresholds, adamw, exact, the best of half epochs": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        ADAMW | {"keep": "best", "validate_every": 0.5, "ema": 0.5},
        Drawing(GLOBAL, parametrisation=SoftThreshold(start=-3), rewind=NoRewind(), sparsity=0.8),
    ),
    "masks by thresholds, the best of half epochs": (
        OneShot(epochs=3).plan(0.8, PER_EPOCH),
        {"keep": "best", "validate_every": 0.5},
        Drawing(LEARNED, parametrisation=Thresholded(threshold=0.001, every=3), sparsity=0.8),
    ),
    "search": (
        planned(0.8, SEARCH.model_copy(update={"remove_every": 0.25})),
        FGSM | {"accumulate": 2},
        drawing(0.8, penalty=2.0),
    ),
    "search, adamw, average": (planned(0.8), ADAMW | {"ema": 0.8, "validate_every": 0.5}, drawing(0.8, penalty=2.0)),
}


def finish(case: str, folder: Path) -> Run:
    plan, changes, drawing = CASES[case]
    return Run(plan, changes, drawing=drawing, folder=folder)


def stop(case: str, folder: Path, steps: int, seconds: float) -> None:
    """Train until step `steps` of this process, with a checkpoint every so many seconds."""
    plan, changes, drawing = CASES[case]
    with pytest.raises(Interrupted):
        Run(plan, {**changes, "checkpoint_seconds": seconds}, drawing=drawing, folder=folder, stop_at=steps)


@pytest.mark.parametrize("case", CASES)
def test_a_training_cut_off_twice_ends_bit_for_bit_alike(case: str, tmp_path: Path) -> None:
    whole = finish(case, tmp_path / "whole")
    assert whole.result.steps >= 9
    cut = tmp_path / "cut"
    stop(case, cut, 4, seconds=0)
    # The second kill comes three steps, and a validation or an event, after the last checkpoint.
    stop(case, cut, 3, seconds=1e6)
    resumed = finish(case, cut)
    assert equal(resumed.state, whole.state)
    assert equal(resumed.result.masks, whole.result.masks)
    assert resumed.result.mask_distances == whole.result.mask_distances
    assert resumed.result.removals == whole.result.removals
    assert (resumed.result.validation, resumed.result.steps) == (whole.result.validation, whole.result.steps)
    assert (cut / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    later = whole.tickets[len(whole.tickets) - len(resumed.tickets) :]
    for (event, masks, state), (_, masks_, state_) in zip(later, resumed.tickets, strict=True):
        assert equal(masks, masks_)
        assert equal(state, state_), event


def test_another_seed_ends_elsewhere() -> None:
    one, other = Run(Plan(2, ())), Run(Plan(2, ()), seed=1)
    assert not equal(one.state, other.state)


def test_coupled_masks_are_taken_up_with_their_followers(tmp_path: Path) -> None:
    plan = Iterative(rate=0.3, rounds=2, epochs=1).plan(None, PER_EPOCH)

    def run(folder: Path, stop_at: int | None = None) -> Run:
        return Run(plan, drawing=Drawing(CHANNELS, COUPLINGS), folder=folder, stop_at=stop_at)

    whole = run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", 6)
    assert equal(run(tmp_path / "cut").state, whole.state)
    assert not bool(whole.result.masks["bn1.weight"].all())


def test_a_finished_training_is_taken_from_its_last_checkpoint(tmp_path: Path) -> None:
    first = Run(Plan(8, ()), folder=tmp_path)
    again = Run(Plan(8, ()), folder=tmp_path, stop_at=0)
    assert equal(first.state, again.state)
    assert again.result.history == first.result.history


@pytest.mark.parametrize("damage", ["cut short", "empty", "one bit", "another file", "another version"])
def test_a_damaged_checkpoint_is_one_line(damage: str, tmp_path: Path) -> None:
    stop("transfer", tmp_path, 4, seconds=0)
    path = tmp_path / "checkpoint.pt"
    content = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "one bit":
        weight = torch.load(path, weights_only=True)["trainee"]["module"]["body.fc.weight"]
        at = content.index(weight.numpy().tobytes())
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    elif damage == "another file":
        shutil.copy(tmp_path / "metrics.jsonl", path)
    else:
        torch.save({"version": 0}, path)
    with pytest.raises(UserError, match=r"checkpoint\.pt.*delete it to start this step again"):
        finish("transfer", tmp_path)
    path.unlink()
    finish("transfer", tmp_path)
