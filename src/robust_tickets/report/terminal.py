"""A summary on the terminal."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from robust_tickets.report.caveats import warnings
from robust_tickets.report.cells import accuracy_cells, shrink_cells, table_cells, verdict_cells
from robust_tickets.report.headline import headlines
from robust_tickets.report.sections import Section
from robust_tickets.report.summary import Summary
from robust_tickets.report.table import terminal_table


def show(summary: Summary, folder: Path) -> None:
    """Print a summary's tables, what was decided, and the path of its report inside `folder`."""
    console = _console()
    if summary.rows:
        console.print(terminal_table(accuracy_cells(summary.rows)))
    if summary.verdicts:
        console.print(terminal_table(verdict_cells(summary.verdicts)))
    if summary.shrink:
        console.print(terminal_table(shrink_cells(summary.shrink)))
    # A run's report holds far more than a terminal can: there, what decides; without a run, everything.
    told = [section for section in summary.sections if section.is_verdict or not summary.rows]
    show_sections(told)
    for headline in headlines(summary):
        console.print(headline.claim, style="bold", soft_wrap=True)
        console.print(headline.evidence, soft_wrap=True)
    for warning in warnings(summary):
        console.print(f"Warning: {warning}", soft_wrap=True)
    if further := [section.title.lower() for section in summary.sections if section not in told]:
        console.print(f"in the report, too: {', '.join(further)}", soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def show_sections(sections: Sequence[Section]) -> None:
    """Print the tables of sections, and what they say."""
    console = _console()
    for section in sections:
        for table in section.tables:
            console.print(terminal_table(table_cells(table)))
        if section.text:
            console.print(f"{section.title}: {section.text}\n", soft_wrap=True)


def _console() -> Console:
    # A pipe has no width; a file is read in an editor.
    return Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False)
