"""The verdict in a sentence: the first thing a report says."""

from collections.abc import Sequence
from typing import NamedTuple

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.samples import told_enough, told_samples
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.notation import interval, signed_points
from robust_tickets.report.summary import Summary, VerdictRow


class Headline(NamedTuple):
    """What was decided, in a sentence, and the figures behind it, in another."""

    claim: str
    evidence: str


def headlines(summary: Summary) -> list[Headline]:
    """Return what was decided: shipped tickets that match, fastest first, then whatever they do not already say.

    The others are one for each source and transfer that was judged, the sparsest matching ticket first. A ticket
    matches when every required comparison matches: with both accuracies and both trainings this is the double-win
    rule (Chen et al., 2022). A summary of sections alone has no headline.
    """
    required = [row for row in summary.verdicts if row.required]
    if summary.sections and not (required or summary.rows or summary.shrink):
        return []
    if not required:
        return [_without_verdicts(summary)]
    judged = grouped(required, lambda row: (row.target, row.fraction, row.series, row.transfer))
    several = len({key[:2] for key in judged}) > 1
    shipped = _shipped(summary, required)
    told = [row for row, _ in shipped]
    found = sorted((_headline(rows, several) for rows in judged.values()), key=lambda one: -one[0])
    return [*(headline for _, headline in shipped), *(headline for _, row, headline in found if row not in told)]


def _shipped(summary: Summary, required: Sequence[VerdictRow]) -> list[tuple[VerdictRow, Headline]]:
    """Return every exported ticket that matches and gains size and speed, the fastest first.

    Each comes as the verdict that speaks for it, and accuracy, size and speed in words.
    """
    gaining = [
        row for row in summary.shrink if row.verdict == "matches" and (row.ratio or 0) > 1 < (row.size_ratio or 0)
    ]
    found: list[tuple[VerdictRow, Headline]] = []
    for shrunk in sorted(gaining, key=lambda row: -(row.ratio or 0)):
        ticket = (shrunk.series, shrunk.group, shrunk.transfer, shrunk.sparsity)
        rows = [row for row in required if (row.series, row.group, row.transfer, row.sparsity) == ticket]
        standard = next((row for row in rows if row.measure == "standard"), None)
        if standard is None or shrunk.accuracy is None:
            continue
        unit = shrunk.unit
        name = f"The {shrunk.series} {shrunk.group} ticket at {sparsity_percent(shrunk.sparsity)} % sparsity"
        claim = (
            f"{name} matches dense: {unit.table(shrunk.accuracy)} {shrunk.score} against "
            f"{unit.table(shrunk.accuracy - standard.difference)}, {shrunk.size_ratio:.1f} times smaller and "
            f"{shrunk.ratio:.1f} times as fast."
        )
        closest = min(rows, key=lambda row: row.gain)
        file = f"Size and speed: {shrunk.file}, measured against dense in ONNX Runtime."
        found.append((closest, Headline(claim, f"{_evidence(closest)} {file}")))
    return found


def _without_verdicts(summary: Summary) -> Headline:
    faster = [row for row in summary.shrink if row.ratio is not None]
    if summary.rows or not faster:
        return Headline("No ticket was compared with dense.", f"Transfers measured: {len(summary.rows)}.")
    best = max(faster, key=lambda row: row.ratio or 0.0)
    return Headline(f"{best.name} has {best.ratio:.2f} times the speed of dense.", "Measured on the exported network.")


def _headline(rows: Sequence[VerdictRow], several: bool) -> tuple[float, VerdictRow, Headline]:
    """Return the sparsity of the sparsest matching ticket (-1: none), the verdict that speaks, and what to say."""
    first = rows[0]
    dense = f"dense with {first.transfer} transfer" + (f" to {first.target} ({first.fraction})" if several else "")
    tickets = grouped(rows, _ticket)
    matching = [ticket for ticket, same in tickets.items() if all(row.verdict == "matches" for row in same)]
    if matching:
        sparsest = max(matching)
        # The comparison with the least room to spare speaks for the ticket.
        closest = min(tickets[sparsest], key=lambda row: row.gain)
        kind = f"{closest.drawing or closest.group} " if len({ticket[1:] for ticket in tickets}) > 1 else ""
        claim = f"The {first.series} {kind}ticket at {sparsity_percent(sparsest[0])} % sparsity matches {dense}."
        return sparsest[0], closest, Headline(claim, _evidence(closest))
    failing = {_ticket(row) for row in rows if row.verdict == "does not match"}
    undecided = [row for row in rows if _ticket(row) not in failing and row.verdict == "cannot tell"]
    if undecided:
        best = max(undecided, key=lambda row: row.gain)
        more = "seeds" if best.examples is None else f"seeds or {best.noun}"
        claim = f"No {first.series} ticket is shown to match {dense}; more {more} could."
        return -1.0, best, Headline(claim, _evidence(best))
    best = max(rows, key=lambda row: row.gain)
    return -1.0, best, Headline(f"No {first.series} ticket matches {dense}.", _evidence(best))


def _ticket(row: VerdictRow) -> tuple[float, str, str]:
    """Return what distinguishes one ticket of a source from another."""
    return row.sparsity, row.group, row.drawing


def _evidence(row: VerdictRow) -> str:
    """Write the figures behind a verdict."""
    bounds = f" (interval {interval(row)})" if row.low is not None else ""
    of = f"{row.unit.points} of" if row.unit.points else "in"
    enough = told_enough(row.seeds_needed, row.examples_needed, row.noun)
    needed = f"; {enough} would decide" if enough else ""
    samples = told_samples(row.seeds, row.examples, row.noun)
    return (
        f"At {sparsity_percent(row.sparsity)} %: {signed_points(row.difference, row.unit)} {of} {row.measure} "
        f"{row.score}{bounds}, margin {row.unit.number(row.margin)}, {samples}{needed}."
    )
