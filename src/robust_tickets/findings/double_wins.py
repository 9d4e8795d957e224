"""Which tickets are double-win, if each is transferred both ways, standard and adversarial."""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.notation import signed_points
from robust_tickets.report.sections import Section, Table, Value
from robust_tickets.verbs.double_win import DoubleWinVerdict

TEXT = (
    "A ticket is double-win if it matches dense in accuracy (SA) after standard and after adversarial transfer, and in "
    "accuracy under {attack} (RA) after adversarial transfer; RA after standard transfer counts only if dense keeps "
    "more than the margin of {margin:g} points there."
)
NOTE = (
    "Ticket minus dense in points of test accuracy, means over seeds; figures in brackets are not required. To select "
    "a sparsity on validation data, use tickets find --criterion double-win."
)
SAID = {"matches": "double win", "does not match": "no double win", "cannot tell": "cannot tell"}


@dataclass(frozen=True)
class Judged:
    """One drawn ticket, judged after a standard and an adversarial transfer to one target."""

    target: str
    transfers: tuple[str, str]
    """Names of the standard and the adversarial one."""
    source: str
    drawing: str
    verdict: DoubleWinVerdict


def double_win_sections(judged: Sequence[Judged]) -> list[Section]:
    """Return a verdict on every ticket, a table for each target and pair of transfers; nothing without any."""
    if not judged:
        return []
    tables = [_table(together) for together in grouped(judged, lambda one: (one.transfers, one.target)).values()]
    decision = judged[0].verdict.standard.standard
    attack, margin = judged[0].verdict.standard.attack, decision.unit.scaled(decision.margin)
    won = [one.verdict.sparsity for one in judged if one.verdict.matches]
    outcome = f"None of the {len(judged)} tickets demonstrably is."
    if won:
        outcome = (
            f"{len(won)} of the {len(judged)} tickets demonstrably are, up to {sparsity_percent(max(won))} % sparsity."
        )
    text = f"{TEXT.format(attack=attack, margin=margin)} {outcome}"
    return [Section(title="Double win", text=text, tables=tuple(tables), is_verdict=True)]


def _table(judged: Sequence[Judged]) -> Table:
    first = judged[0]
    return Table(
        title=f"{first.target}: {first.transfers[0]} and {first.transfers[1]} transfer",
        columns=("source", "drawing", "sparsity (%)", *first.verdict.joint.decisions(), "verdict"),
        rows=tuple(map(_row, judged)),
        note=NOTE,
    )


def _row(one: Judged) -> tuple[Value, ...]:
    """Return the four differences, in points, and the verdict."""
    joint = one.verdict.joint
    points = {name: signed_points(each.difference, each.unit) for name, each in joint.decisions().items() if each}
    told = [text if name in joint.required() else f"({text})" for name, text in points.items()]
    return (one.source, one.drawing, sparsity_percent(one.verdict.sparsity), *told, SAID[joint.verdict])
