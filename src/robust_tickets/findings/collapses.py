"""Trainings against a single step that have collapsed."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.report.notation import percent
from robust_tickets.report.sections import Section, Table

TEXT = (
    "Training against a single step has taught these networks to defeat that step and nothing else: accuracy under "
    "PGD-10, measured on a few images at every validation, fell below half its best value while accuracy under the "
    "single step rose. They are not as robust as their objective's name suggests; shorten its step or radius, train "
    "with pgd, or set keep: best."
)


@dataclass(frozen=True)
class Collapse:
    """One training that suffered catastrophic overfitting. Figures are fractions in [0, 1]."""

    training: str
    epoch: float
    """Of the validation that found it."""
    best: float
    """Under PGD, so far."""
    pgd: float
    """Then."""
    single_step: float
    """Under the step trained against, then."""


def collapse_sections(collapses: Sequence[Collapse]) -> list[Section]:
    """Return a line for every training; nothing without any."""
    if not collapses:
        return []
    columns = ("training", "found at epoch", "best so far under PGD-10 (%)", "then (%)", "under the single step (%)")
    rows = tuple(
        (one.training, one.epoch, percent(one.best), percent(one.pgd), percent(one.single_step)) for one in collapses
    )
    table = Table(title="Trainings that collapsed", columns=columns, rows=rows)
    return [Section(title="Catastrophic overfitting", text=TEXT, tables=(table,), is_verdict=True)]
