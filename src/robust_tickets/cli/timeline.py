"""`tickets timeline`: when which event of a recipe happens."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import Override, ours_or_free
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.run_folder import verb_of


def timeline(
    recipes: Annotated[list[str], typer.Argument(help="YAML files, or recipes that ship with the package.")],
    steps_per_epoch: Annotated[
        int, typer.Option(min=1, help="Training steps in an epoch of your data, for timelines written in steps.")
    ] = 100,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where report.html and the picture are written, too.", callback=ours_or_free),
    ] = None,
    settings: Override = None,
) -> None:
    """Show what happens when: prunes, restores, rewinds, tickets."""
    if out is not None and verb_of(out) is not None:
        raise UserError(f"{out}: contains other work, whose page would be lost; choose another folder")
    from robust_tickets.recipe import load_recipe

    read = {name: load_recipe(name, settings or ()) for name in dict.fromkeys(recipes)}
    from robust_tickets.findings.courses import course_sections
    from robust_tickets.pipeline.courses import courses
    from robust_tickets.report.terminal import show, show_sections

    found = [one for name, recipe in read.items() for one in courses(recipe, Path(name).stem, steps_per_epoch)]
    sections = course_sections(found)
    if out is None:
        show_sections(sections)
        return
    from robust_tickets.report.html import write_report
    from robust_tickets.report.summary import Summary, save_summary

    summary = Summary(title=f"Timelines of {', '.join(read)}", sections=sections)
    save_summary(summary, out / "summary.json")
    write_report(summary, out)
    show(summary, out)
