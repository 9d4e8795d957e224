"""The page as Markdown: every table, and the figures' files next to it, for a README or a pull request."""

from collections.abc import Iterator, Sequence
from html import escape

from robust_tickets.report.caveats import warnings
from robust_tickets.report.cells import Cells, accuracy_cells, shrink_cells, table_cells, verdict_cells
from robust_tickets.report.headline import headlines
from robust_tickets.report.notation import capitalised, scores_of
from robust_tickets.report.points import CONTROL_NAMES
from robust_tickets.report.sections import Section, figure_names
from robust_tickets.report.summary import Summary
from robust_tickets.report.table import markdown_table


def to_markdown(summary: Summary) -> str:
    """Return the report as GitHub-flavoured Markdown; figures are links into `figures/`."""
    return "\n".join(_blocks(summary)).rstrip() + "\n"


def _blocks(summary: Summary) -> Iterator[str]:
    yield f"# {_text(summary.title)}\n"
    yield from (f"**{_text(claim)}** {_text(evidence)}\n" for claim, evidence in headlines(summary))
    yield from (f"> Warning: {_text(warning)}\n" for warning in warnings(summary))
    if summary.rows:
        yield f"![{capitalised(scores_of(row.score for row in summary.rows))} against sparsity](figures/curves.png)\n"
    tables: list[Cells] = []
    if summary.verdicts:
        tables.append(verdict_cells(summary.verdicts))
    if summary.rows:
        tables.append(accuracy_cells(row for row in summary.rows if row.ticket not in CONTROL_NAMES))
        if controls := [row for row in summary.rows if row.ticket in CONTROL_NAMES]:
            tables.append(accuracy_cells(controls, "{score} of the controls"))
    if summary.shrink:
        tables.append(shrink_cells(summary.shrink))
    yield from map(markdown_table, tables)
    for section, names in zip(summary.sections, figure_names(summary.sections), strict=True):
        yield from _section(section, names)
    if summary.notes:
        yield "## Notes\n"
        yield "\n".join(f"- {_text(note)}" for note in summary.notes) + "\n"
    if summary.facts:
        yield "## Settings and provenance\n"
        yield "\n".join(f"- {_text(label)}: {_text(value)}" for label, value in summary.facts) + "\n"
    if summary.command:
        yield f"## Run it again\n\n```\n{summary.command}\n```\n"


def _section(section: Section, names: Sequence[str]) -> Iterator[str]:
    """Yield a section's heading, text, figures and tables."""
    yield f"## {_text(section.title)}\n"
    if section.text:
        yield f"{_text(section.text)}\n"
    for figure, name in zip(section.figures, names, strict=True):
        yield f"![{_text(figure.title)}](figures/{name}.png)\n"
    yield from (markdown_table(table_cells(table)) for table in section.tables)


def _text(text: str) -> str:
    """Return text on one line in which nothing is markup."""
    return escape(" ".join(text.split()), quote=False)
