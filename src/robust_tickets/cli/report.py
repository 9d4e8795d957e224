"""`tickets report`: the page of a finished run, again."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.run_folder import root_of


def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
) -> None:
    """Show the tables of a finished run; rewrite its page."""
    if not (folder / "summary.json").is_file():
        run = root_of(folder)
        also = f"; it is inside a run: tickets report {run}" if run is not None and run != folder.resolve() else ""
        raise UserError(
            f"{folder}: contains no finished run (no summary.json in it); create one with tickets run{also}"
        )
    from robust_tickets.report.html import write_report
    from robust_tickets.report.summary import load_summary
    from robust_tickets.report.terminal import show

    summary = load_summary(folder / "summary.json")
    write_report(summary, folder)
    show(summary, folder)
