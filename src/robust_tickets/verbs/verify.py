"""Verify: measure transferred networks on test data, once, and decide whether the ticket matches dense."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.data import batches
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.accuracy import Interval, accuracy, accuracy_interval, correctness
from robust_tickets.measures.evaluation import Evaluation, balanced_first, evaluate
from robust_tickets.measures.matching import Decision, decide
from robust_tickets.measures.predict import evaluation_mode, logits
from robust_tickets.measures.test_uncertainty import paired_test_interval
from robust_tickets.verbs.target import changed
from robust_tickets.verbs.transfer import Run, Transfer, transfer

Part = Literal["test", "validation"]


class VerifySettings(Settings):
    """What counts as matching, and what is measured."""

    margin: float = Field(
        default=0.01, ge=0, lt=1, description="Largest loss of accuracy still called a match, in [0, 1)."
    )
    level: float = Field(
        default=0.05, gt=0, lt=0.5, description="Largest probability of a wrong decision, in (0, 0.5)."
    )
    robustness: Evaluation | None = Field(
        default=None,
        description="The attack under which robust accuracy is measured and has to match too; absent: none.",
    )


class Measured(Settings):
    """Accuracies of one run on one part, as fractions in [0, 1]."""

    seed: int
    standard: float
    interval: Interval = Field(description="Clopper-Pearson, 95 %, of `standard` over draws of the test set.")
    robust: float | None = None


class Verdict(Settings):
    """Whether a transferred ticket matches dense, with the figures it rests on."""

    subject: str
    sparsity: float
    transfer: str
    part: Part = Field(default="test", description="Where it was decided; `find` selects on validation.")
    attack: str | None = None
    standard: Decision
    robust: Decision | None = None
    ticket_runs: tuple[Measured, ...]
    dense_runs: tuple[Measured, ...]

    @property
    def verdict(self) -> str:
        """Return the joint verdict: standard and, where measured, robust accuracy have to match."""
        verdicts = {decision.verdict for decision in (self.standard, self.robust) if decision is not None}
        for verdict in ("does not match", "cannot tell"):
            if verdict in verdicts:
                return verdict
        return "matches"

    @property
    def matches(self) -> bool:
        """Return whether the ticket demonstrably matches."""
        return self.verdict == "matches"

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        text = f"{self.subject} at {self.sparsity:.1%} sparsity, {self.transfer}. Accuracy: {self.standard.sentence()}"
        if self.robust is not None:
            text += f" Under {self.attack}: {self.robust.sentence()}"
        return text


def verify(
    result: Transfer,
    against: Transfer | Literal["dense"] = "dense",
    *,
    settings: VerifySettings | None = None,
    part: Part = "test",
    **changes: Any,
) -> Verdict:
    """Measure a transfer and its dense counterpart on test data, and decide whether it matches.

    Args:
        result: the transferred ticket.
        against: the dense source's transfer under the same settings, data and seeds; `dense` makes it
            (in the folder `dense` beside the runs).
        settings: margin, level and attack; `changes` are keyword changes, as in `margin=0.02`.
        part: `validation` for selection; `test` is for the end.

    Raises:
        UserError: `against` was transferred under other settings, or the part is empty.
    """
    settings = changed(settings or VerifySettings(), changes)
    dense = dense_transfer(result) if isinstance(against, str) else against
    if dense.settings != result.settings:
        raise UserError("verify compares transfers of equal settings and seeds; these two differ")
    ticket_bits = [measure(run, settings.robustness, part) for run in result.runs]
    dense_bits = [measure(run, settings.robustness, part) for run in dense.runs]
    ticket_runs, dense_runs = summarise(result, ticket_bits), summarise(dense, dense_bits)
    robust = None
    if settings.robustness is not None:
        robust = decide_on([b["robust"] for b in ticket_bits], [b["robust"] for b in dense_bits], settings)
    return Verdict(
        subject=result.source.identity.name,
        sparsity=result.sparsity,
        transfer=result.settings.describe(),
        part=part,
        attack=settings.robustness.describe() if settings.robustness is not None else None,
        standard=decide_on([b["clean"] for b in ticket_bits], [b["clean"] for b in dense_bits], settings),
        robust=robust,
        ticket_runs=ticket_runs,
        dense_runs=dense_runs,
    )


def dense_transfer(result: Transfer) -> Transfer:
    """Transfer the same source dense, under the same settings."""
    folder = result.folder / "dense" if result.folder is not None else None
    return transfer(result.source, result.data, settings=result.settings, folder=folder)


def decide_on(ticket: list[Tensor], dense: list[Tensor], settings: VerifySettings) -> Decision:
    """Decide from correctness vectors, one per seed."""
    same = (
        all(one.shape == other.shape for one, other in zip(ticket, dense, strict=True))
        and len({len(bits) for bits in ticket}) == 1
    )
    return decide(
        [accuracy(bits) for bits in ticket],
        [accuracy(bits) for bits in dense],
        settings.margin,
        settings.level,
        paired_test_interval(ticket, dense, settings.level) if same and len(ticket[0]) > 1 else None,
    )


def summarise(result: Transfer, bits: list[dict[str, Tensor]]) -> tuple[Measured, ...]:
    """Return the accuracies of every run."""
    return tuple(
        Measured(
            seed=run.seed,
            standard=accuracy(correct["clean"]),
            interval=accuracy_interval(correct["clean"]),
            robust=accuracy(correct["robust"]) if "robust" in correct else None,
        )
        for run, correct in zip(result.runs, bits, strict=True)
    )


def measure(run: Run, robustness: Evaluation | None, part: Part = "test") -> dict[str, Tensor]:
    """Return correctness, image by image: `clean` bool [N] and, under an attack, `robust` bool [M].

    Each part is measured once and kept in the run's folder.

    Raises:
        UserError: the part holds no images.
    """
    data = run.data.test if part == "test" else run.data.validation
    if not len(data):
        raise UserError(f"{run.data.name}: the {part} part is empty; set the data's `{part}` fraction above 0")
    attack = robustness.model_dump(mode="json") if robustness is not None else None
    settings = {"part": part, "robustness": attack}
    name = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
    step = Step(run.folder / f"{part}-{name}" if run.folder is not None else None, settings)
    if step.result is not None:
        return {key: from_hex(value) for key, value in step.result.items()}
    device = next(run.classifier.parameters()).device
    with evaluation_mode(run.classifier, device) as predict, torch.no_grad():
        clean = correctness(*logits(predict, batches(data, batch_size=256, seed=0, train=False)))
    measured = {"clean": clean}
    if robustness is not None:
        labels = [int(label) for label in data.labels]
        attacked = (
            data if robustness.limit is None else data.subset(torch.tensor(balanced_first(labels, robustness.limit)))
        )
        with evaluation_mode(run.classifier, device) as predict:
            correct = evaluate(predict, batches(attacked, batch_size=256, seed=0, train=False), robustness, run.seed)
        measured["robust"] = correct.robust
    step.finish({key: to_hex(value) for key, value in measured.items()})
    return measured


def to_hex(bits: Tensor) -> str:
    """Return a bool vector as `count:hex`."""
    return f"{len(bits)}:{np.packbits(bits.numpy()).tobytes().hex()}"


def from_hex(text: str) -> Tensor:
    """Undo `to_hex`."""
    count, packed = text.split(":")
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), dtype=np.uint8), count=int(count))
    return torch.from_numpy(bits.astype(bool))


def summary_path(folder: Path) -> Path:
    """Return where a folder of transfers keeps its verdict."""
    return folder / "verdict.json"
