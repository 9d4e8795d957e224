"""Verify: measure transferred networks on test data, once, and decide whether the ticket matches dense."""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.data import batches
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.foundation.steps import Step, first_difference
from robust_tickets.measures.accuracy import Interval, accuracy, accuracy_interval, correctness
from robust_tickets.measures.evaluation import Evaluation, balanced_first, evaluate, require_attack
from robust_tickets.measures.matching import Decision, decide
from robust_tickets.measures.predict import evaluation_mode, logits
from robust_tickets.measures.sampling_uncertainty import paired_test_interval
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
        text = f"{self.subject} at {100 * self.sparsity:.4g} % sparsity, {self.transfer}. {self.standard.sentence()}"
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
        UserError: `against` was transferred under other settings, seeds or data, or the part is empty.
    """
    settings = changed(settings or VerifySettings(), changes)
    if settings.robustness is not None:
        require_attack(settings.robustness)
    dense = dense_transfer(result) if isinstance(against, str) else against
    require_pairs(result, dense)
    ticket_bits = [measure(run, settings.robustness, part) for run in result.runs]
    dense_bits = [measure(run, settings.robustness, part) for run in dense.runs]
    decisions = {
        kind: decide_on([bits[kind] for bits in ticket_bits], [bits[kind] for bits in dense_bits], settings)
        for kind in ticket_bits[0]
    }
    return Verdict(
        subject=result.source.identity.name,
        sparsity=result.sparsity,
        transfer=result.settings.describe(),
        part=part,
        attack=settings.robustness.describe() if settings.robustness is not None else None,
        standard=decisions["clean"],
        robust=decisions.get("robust"),
        ticket_runs=summarise(result, ticket_bits),
        dense_runs=summarise(dense, dense_bits),
    )


def require_pairs(result: Transfer, dense: Transfer) -> None:
    """Refuse to compare what does not differ in the ticket alone.

    Raises:
        UserError: names what else differs.
    """
    ticket, other = (
        {
            "source": one.source.identity.digest,
            "settings": one.settings.comparable,
            "seeds": list(one.settings.seeds),
            "data": [run.data.digest for run in one.runs],
        }
        for one in (result, dense)
    )
    if (difference := first_difference(ticket, other)) is not None:
        where, mine, theirs = difference
        raise UserError(
            f"verify pairs transfers that differ in nothing but the ticket; {where} is {mine} in one and {theirs} "
            "in the other"
        )


def dense_transfer(result: Transfer) -> Transfer:
    """Transfer the same source dense, under the same settings; dense is its own counterpart."""
    if result.ticket is None:
        return result
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

    Everything is measured once and kept in the run's folder.

    Raises:
        UserError: the part holds no images.
    """
    if not len(run.data.test if part == "test" else run.data.validation):
        raise UserError(f"{run.data.name}: the {part} part is empty; set the data's `{part}` fraction above 0")
    attacks = {"clean": None} | ({"robust": robustness} if robustness is not None else {})
    return {kind: measure_once(run, attack, part) for kind, attack in attacks.items()}


def measure_once(run: Run, attack: Evaluation | None, part: Part) -> Tensor:
    """Return correctness bool [N] under an attack or none, measured now or taken from the run's folder."""
    settings = {"part": part, "attack": attack.model_dump(mode="json") if attack is not None else None}
    step = Step.named(run.folder, f"{part}-{attack.attack if attack is not None else 'clean'}", settings)
    if step.result is not None:
        return from_hex(step.result["correct"])
    data = run.data.test if part == "test" else run.data.validation
    if attack is not None and attack.limit is not None:
        data = data.subset(torch.tensor(balanced_first([int(label) for label in data.labels], attack.limit)))
    images = batches(data, batch_size=256, seed=0, train=False)
    with step.claim(), evaluation_mode(run.classifier, next(run.classifier.parameters()).device) as predict:
        if attack is not None:
            correct = evaluate(predict, images, attack, run.seed).robust
        else:
            with torch.no_grad():
                correct = correctness(*logits(predict, images))
        step.finish({"correct": to_hex(correct)})
    return correct


def to_hex(bits: Tensor) -> str:
    """Return a bool vector as `count:hex`."""
    return f"{len(bits)}:{np.packbits(bits.numpy()).tobytes().hex()}"


def from_hex(text: str) -> Tensor:
    """Undo `to_hex`."""
    count, packed = text.split(":")
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), dtype=np.uint8), count=int(count))
    return torch.from_numpy(bits.astype(bool))
