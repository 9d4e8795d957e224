"""Verify: decide, from what was measured on test data, whether a transferred ticket matches dense."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from pydantic import Field

from robust_tickets.attacks.attack_log import GradientCounts
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.of_inputs import OfInputs
from robust_tickets.foundation.settings import Settings, changed, cut
from robust_tickets.foundation.steps import first_difference
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.caveats import Caveat, part_caveats
from robust_tickets.measures.figure import require_margin
from robust_tickets.measures.kinds import AnyMeasure
from robust_tickets.measures.matching import Conclusion, Decision, decide
from robust_tickets.measures.measure import by_name
from robust_tickets.measures.metric import Metric
from robust_tickets.shrinking.artefact import Artefact
from robust_tickets.tasks.target import Data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.caveats import MeasuredNetwork, caveats
from robust_tickets.verbs.exported import Exported, open_exported, square_on_file, verify_exported
from robust_tickets.verbs.measure import Outcome, figures_once, outcomes, part_of
from robust_tickets.verbs.own_loop import Given, as_transfer, own_counterpart
from robust_tickets.verbs.transfer import Run, Transfer
from robust_tickets.verbs.verify_settings import Part, VerifySettings


class Measured(Settings):
    """The metric of one run on one part, in its own unit: of accuracy a fraction in [0, 1]."""

    seed: int
    standard: float
    interval: Interval | None = Field(
        default=None,
        description="95 % interval of `standard` over draws of the test set: Clopper-Pearson's for accuracy; null: "
        "unknown.",
    )
    robust: float | None = None
    gradients: GradientCounts | None = Field(
        default=None, description="The number of images on which the attack behind `robust` saw no gradient."
    )
    measures: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Figures of each further measure by name, by the measure's description."
    )


class Verdict(OfInputs):
    """Whether a transferred ticket matches dense, with the figures it rests on."""

    subject: str
    sparsity: float
    transfer: str
    part: Part = Field(default="test", description="What it was decided on; `find` selects on validation.")
    attack: str | None = None
    score: str = Field(default="accuracy", description="The metric that was compared.")
    standard: Decision
    robust: Decision | None = None
    ticket_runs: tuple[Measured, ...]
    dense_runs: tuple[Measured, ...]
    measures: tuple[AnyMeasure, ...] = Field(default=(), description="Further measurements, see the runs.")
    exported: Exported | None = Field(
        default=None, description="Measurements of the exported file; absent: none was given."
    )
    caveats: tuple[Caveat, ...] = Field(default=(), description="Reasons to trust the verdict less.")

    @property
    def verdict(self) -> Conclusion:
        """Return the joint verdict: standard and, where measured, robust accuracy have to match."""
        verdicts = {decision.verdict for decision in (self.standard, self.robust) if decision is not None}
        worst: tuple[Conclusion, ...] = ("does not match", "cannot tell", "matches")
        return next(verdict for verdict in worst if verdict in verdicts)

    @property
    def matches(self) -> bool:
        """Return whether the ticket demonstrably matches."""
        return self.verdict == "matches"

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        score = f", {self.score}" if self.score != "accuracy" else ""
        subject = f"{self.subject} at {100 * self.sparsity:.4g} % sparsity, {self.transfer}{score}"
        text = f"{subject}. {self.standard.sentence(self.noun)}"
        if self.robust is not None:
            text += f" Under {self.attack}: {self.robust.sentence(self.noun)}"
        return " ".join((text, *(caveat.text for caveat in self.caveats if caveat.is_about_evidence)))

    def warnings(self) -> list[str]:
        """Return the caveats that the sentence leaves out: on the images and seeds that the verdict rests on."""
        return list(dict.fromkeys(caveat.text for caveat in self.caveats if not caveat.is_about_evidence))

    def __repr__(self) -> str:
        robust = f", under attack {self.robust.verdict}" if self.robust is not None else ""
        difference = f"{self.standard.unit.difference(self.standard.difference)} to dense"
        seeds = f"{self.standard.seeds} seed{'s' * (self.standard.seeds > 1)}"
        return cut(
            f"Verdict({self.verdict}: {self.subject} at {100 * self.sparsity:.4g} %, {difference} over {seeds}{robust})"
        )

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the decision, its runs, and everything that was measured."""
        return as_html(self)


def verify(
    result: Given,
    against: Given | Literal["dense"] = "dense",
    *,
    data: Data | None = None,
    ticket: Ticket | None = None,
    settings: VerifySettings | None = None,
    part: Part = "test",
    exported: Artefact | Path | str | None = None,
    **changes: Any,
) -> Verdict:
    """Measure a transfer and its dense counterpart on test data, and decide whether it matches.

    Args:
        result: the transferred ticket; or a network that you trained, or a list of them, one per seed, with `data`.
        against: the dense source's transfer under the same settings, data and seeds; `dense` finds it in the run or
            next to the transfer, or makes it (in the folder `dense` next to the runs). For networks that you trained:
            dense ones, trained in the same way, in the same order. One run of each decides nothing about seeds; only
            the interval over the test images is reported.
        data: the data that networks of yours were trained on, as in `transfer`.
        ticket: the ticket whose masks they kept; without it, their zeros are the ticket.
        settings: margin, level, attack and further measures, which are taken only on test; `changes` are keyword
            changes, as in `margin=0.02`.
        part: `validation` for selection; `test` is for the end.
        exported: the file or folder that `shrink` made from one of the runs, measured alongside that run's network:
            attacks are replayed on it, and Square attack, if there is one, searches on the file itself.

    Raises:
        UserError: `against` was transferred under other settings, seeds or data, the part is empty, or `exported` is
            not such a file.
    """
    settings = changed(settings or VerifySettings(), changes)
    settings.require()
    result = as_transfer(result, data, ticket)
    first = result.runs[0]
    data, score = first.data, first.task.metric(first.data.classes)
    classes = first.task.head_size(first.data) if first.task.keeps_body else None
    require_margin(score, settings.margin)
    first.task.require_measures(data, settings.robustness, settings.measures, classes)
    part_of(data, part)
    opened = open_exported(exported, result) if exported is not None else None
    dense = result.dense() if isinstance(against, str) else own_counterpart(result, against)
    require_pairs(result, dense)
    ticket_found = [outcomes(run, settings.robustness, part) for run in result.runs]
    dense_found = [outcomes(run, settings.robustness, part) for run in dense.runs]
    shared = is_shared(result.runs, part)
    every = len(part_of(data, part))
    attacked = settings.robustness.limit if settings.robustness is not None else None
    examples = {"clean": every, "robust": min(every, attacked or every)}
    decisions = {
        kind: decide_on(
            [one[kind] for one in ticket_found],
            [one[kind] for one in dense_found],
            settings,
            score,
            None if result is dense else examples[kind],
            part,
            shared,
        )
        for kind in ticket_found[0]
    }
    # Selection looks at accuracies alone; everything else is for the end.
    further = settings.measures if part == "test" else ()
    on_file = square_on_file(settings.robustness, further) if score.has_pairs else []
    ticket_runs = summarise(result.runs, ticket_found, further, score)
    dense_runs = summarise(dense.runs, dense_found, further, score)
    file = verify_exported(*opened, settings.robustness, (*further, *on_file), part) if opened else None
    networks = (
        {"ticket": MeasuredNetwork(ticket_found, [run.measures for run in ticket_runs])} if result is not dense else {}
    )
    networks["dense"] = MeasuredNetwork(dense_found, [run.measures for run in dense_runs])
    return Verdict(
        noun=data.noun,
        subject=result.source.identity.name,
        sparsity=result.sparsity,
        transfer=result.describe(),
        part=part,
        attack=settings.robustness.describe() if settings.robustness is not None else None,
        score=score.name,
        standard=decisions["clean"],
        robust=decisions.get("robust"),
        ticket_runs=ticket_runs,
        dense_runs=dense_runs,
        measures=further,
        exported=file,
        caveats=(
            *caveats(decisions, networks, settings, score, data, part, shared),
            *(between_parts(dense, dense_runs) if part == "test" and score.has_pairs else ()),
            *(file.caveats if file is not None else ()),
        ),
    )


def between_parts(dense: Transfer, measured: Sequence[Measured]) -> list[Caveat]:
    """Return caveats on validation data that dense may have been trained on before; see `part_caveats`.

    Under an adversarial objective validation is under attack, and says nothing about that.
    """
    known = [run.validation for run in dense.runs if run.validation is not None]
    if len(known) < len(dense.runs) or dense.settings.training.objective.is_adversarial:
        return []
    data, tested = dense.runs[0].data, fmean(one.standard for one in measured)
    return part_caveats(fmean(known), len(data.validation), tested, len(data.test), data.noun)


def require_pairs(result: Transfer, dense: Transfer) -> None:
    """Refuse to compare what does not differ in the ticket alone.

    Raises:
        UserError: names what else differs.
    """
    if (difference := first_difference(compared(result), compared(dense))) is not None:
        where, mine, theirs = difference
        raise UserError(
            f"verify pairs transfers that differ only in the ticket; {where} is {mine} in one and {theirs} in the other"
        )


def compared(transfer: Transfer) -> dict[str, Any]:
    """Return all that must be equal for two transfers to differ in the ticket alone."""
    return {
        **transfer.source.identity.facts,
        "settings": transfer.settings.comparable,
        "seeds": list(transfer.settings.seeds),
        "data": [run.data.digest for run in transfer.runs],
    }


def sparsest_match(pairs: Sequence[tuple[Transfer, Transfer]], settings: VerifySettings) -> int:
    """Return which of several tickets is shipped: the sparsest that matches, or else the best one.

    Args:
        pairs: the transfer of each ticket with dense's; decided on validation, on test if the data have no
            validation part.
        settings: margin, level and attack.
    """
    if len(pairs) == 1:
        return 0
    verdicts = [verify(*pair, settings=settings, part=selected_on(pair[0])) for pair in pairs]
    matching = [index for index, verdict in enumerate(verdicts) if verdict.matches]
    if matching:
        return max(matching, key=lambda index: verdicts[index].sparsity)
    return max(range(len(pairs)), key=lambda index: verdicts[index].standard.gain)


def selected_on(result: Transfer) -> Part:
    """Return the part on which one of several tickets is chosen."""
    return "validation" if all(len(run.data.validation) for run in result.runs) else "test"


def decide_on(
    ticket: Sequence[Outcome],
    dense: Sequence[Outcome],
    settings: VerifySettings,
    score: Metric,
    examples: int | None,
    part: Part,
    aligned: bool,
) -> Decision:
    """Decide from what was measured on so many examples of a part, seed by seed; None: dense is compared with itself.

    Where every seed has validation examples of its own, they are not `aligned`.

    Validation data choose among tickets, and test data confirm the choice: chance in the draw of validation examples
    is no risk of a wrong claim, and seeds alone are accounted for.
    """
    return decide(
        [score.value(one.values) for one in ticket],
        [score.value(one.values) for one in dense],
        settings.margin,
        settings.level,
        score.paired(ticket, dense, examples) if examples is not None and aligned else None,
        over_examples=part == "test",
        itself=examples is None,
        of=score,
    )


def is_shared(runs: Sequence[Run], part: Part) -> bool:
    """Return whether all seeds have the same examples of a part; validation parts may be each seed's own."""
    first, *others = [part_of(run.data, part).indices for run in runs]
    return all(torch.equal(first, other) for other in others)


def summarise(
    runs: Sequence[Run], measured: list[dict[str, Outcome]], further: tuple[AnyMeasure, ...], score: Metric
) -> tuple[Measured, ...]:
    """Return the score of every run, and its figures of further measures."""
    return tuple(
        Measured(
            seed=run.seed,
            standard=score.value(found["clean"].values),
            interval=score.interval(found["clean"].values),
            robust=score.value(found["robust"].values) if "robust" in found else None,
            gradients=found["robust"].gradients if "robust" in found else None,
            measures={name: figures_once(run, asked) for name, asked in by_name(further).items()},
        )
        for run, found in zip(runs, measured, strict=True)
    )
