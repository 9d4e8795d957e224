"""Whether tickets of successive rounds are trained into one linearly connected minimum."""

from collections.abc import Sequence

from robust_tickets.findings.stability import line_facts
from robust_tickets.findings.tickets import COLUMNS
from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.sections import Chart, Line, Section, Table, Value
from robust_tickets.verbs.succession import Succession, Successions

TITLE = "Barriers between successive tickets"
TEXT = (
    "The trained networks of every two tickets that follow each other in one draw, of the same seed, and the line "
    "between them as they are ({points} points): weights that only the denser one has go to zero on it, so that it "
    "lies in the union of both masks, which is the denser one's. The barrier is the most by which the error rises "
    "above the straight line between those of the two ends; its mean over seeds, ± one standard deviation. Connected: "
    "the mean is below {limit} points (that successive tickets are connected where they match: Paul et al., 2022). "
    "Successive are tickets that follow each other here, whatever rounds lie between them. The angular distance, "
    "2 angle / pi, is on the weights that both keep. On {images}; {statistics}."
)


def succession_section(found: Successions, images: str) -> Section:
    """Return the barriers between successive tickets, draw by draw."""
    if found.why_none:
        return Section(title=TITLE, text=f"Nothing to look at: {found.why_none}.")
    text = TEXT.format(**line_facts(found.settings, images, any(one.has_batch_norm for one in found.found)))
    draws = grouped(found.found, lambda one: one.draw)
    tables = tuple(
        Table(
            title=f"From ticket to ticket{f', {draw}' if len(draws) > 1 else ''}",
            columns=(
                *("tickets", "weights kept (%)", "barrier (points)", "connected"),
                *("angular distance", "verdict on the sparser"),
            ),
            rows=tuple(map(_row, steps)),
        )
        for draw, steps in draws.items()
    )
    return Section(title=TITLE, text=text, tables=tables, charts=_charts(draws), is_verdict=True)


def _row(one: Succession) -> tuple[Value, ...]:
    low = f"{'yes' if one.barriers.are_low else 'no'}, {one.barriers.low} of {len(one.barriers.values)} seeds"
    kept = " to ".join(sparsity_percent(1 - sparsity) for sparsity in one.sparsities)
    verdict = one.decision.verdict if one.decision is not None else None
    distance = f"{one.distance:.2f}" if one.distance is not None else None
    return (f"{one.first} to {one.second}", kept, one.barriers.told(), low, distance, verdict)


def _charts(draws: dict[str, list[Succession]]) -> tuple[Chart, ...]:
    """Return the barrier against the sparser one's sparsity, a line for each draw of two barriers or more."""
    long = {draw: steps for draw, steps in draws.items() if len(steps) > 1}
    shown = list(long.items())[:COLUMNS]
    if not shown:
        return ()
    return (
        Chart(
            title="Barrier to the ticket before",
            x_label="sparsity of the sparser ticket, %",
            y_label="barrier, points",
            lines=tuple(_line(draw, steps) for draw, steps in shown),
            note=f"The first {COLUMNS} of {len(long)} draws." if len(long) > COLUMNS else "",
        ),
    )


def _line(draw: str, steps: Sequence[Succession]) -> Line:
    spreads = tuple(100 * (one.barriers.spread or 0.0) for one in steps)
    return Line(
        name=draw,
        x=tuple(100 * one.sparsities[1] for one in steps),
        y=tuple(100 * one.barriers.mean for one in steps),
        std=spreads if any(spreads) else None,
    )
