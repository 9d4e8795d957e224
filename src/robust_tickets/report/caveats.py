"""Reasons to trust the verdicts of a summary less, each once."""

from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.summary import Summary, VerdictRow

NAMED = 3
"""So many verdicts are named with a caveat; the others are counted."""


def warnings(summary: Summary) -> list[str]:
    """Return each caveat of the verdicts in one line, naming its verdicts unless it concerns all."""
    pairs = [(text, row) for row in summary.verdicts for text in row.caveats]
    lines: list[str] = []
    for text, together in grouped(pairs, lambda pair: pair[0]).items():
        rows = [row for _, row in together]
        alike = [row for row in summary.verdicts if row.measure in {row.measure for row in rows}]
        names = list(dict.fromkeys(_name(row) for row in rows))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(text if len(rows) == len(alike) else f"{'; '.join(names[:NAMED])}{more}: {text}")
    return lines


def _name(row: VerdictRow) -> str:
    return f"{row.target}, {row.transfer} transfer, {row.series} at {sparsity_percent(row.sparsity)} %"
