"""The command `tickets analyse`: folders in, tables and a page out."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robust_tickets.cli.options import Override, SourcePlace, ours_or_free, overrides
from robust_tickets.foundation.errors import UserError

if TYPE_CHECKING:
    from robust_tickets.ticket.ticket import Ticket
    from robust_tickets.verbs.analyse_settings import AnalyseSettings
    from robust_tickets.verbs.transfer import Transfer


def analyse(
    folders: Annotated[
        list[Path], typer.Argument(help="Tickets, transfers, or folders that contain them, such as runs.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Where report.html and its figures are written.", callback=ours_or_free),
    ] = Path("runs/analysis"),
    source: SourcePlace = None,
    settings: Override = None,
) -> None:
    """Look inside: overlap, layers, landscapes, barriers, stability."""
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.analyse_settings import AnalyseSettings

    changes = overrides(settings)[0]
    changed(AnalyseSettings(), *changes)
    for folder in folders:
        require_work(folder)
    chosen = changed(settings_of_the_run(folders), *changes)
    from robust_tickets.findings.analyses import analysis_sections
    from robust_tickets.report.html import write_report
    from robust_tickets.report.summary import Summary, save_summary
    from robust_tickets.report.terminal import show
    from robust_tickets.verbs.analyse import analyse

    sections = analysis_sections(analyse(*collect(folders, source), settings=chosen))
    summary = Summary(title=f"Inside {', '.join(folder.name for folder in folders)}", sections=sections)
    save_summary(summary, out / "summary.json")
    write_report(summary, out)
    show(summary, out)


def settings_of_the_run(folders: Sequence[Path]) -> "AnalyseSettings":
    """Return what the recipe of a run asks for, where the run is all that is to be analysed; otherwise the defaults."""
    from robust_tickets.foundation.run_folder import verb_of
    from robust_tickets.verbs.analyse_settings import AnalyseSettings
    from robust_tickets.verbs.reopen import recorded

    asked = (
        recorded(AnalyseSettings, folders[0], "analyse") if len(folders) == 1 and verb_of(folders[0]) == "run" else None
    )
    return asked or AnalyseSettings()


def require_work(folder: Path) -> None:
    """Refuse a folder with nothing to analyse in it.

    Raises:
        UserError: it holds neither a ticket nor a finished transfer.
    """
    if not any(tickets_in(folder)) and not any(transfers_in(folder)):
        raise UserError(
            f"{folder}: contains no ticket and no finished transfer; create one with tickets draw or tickets transfer"
        )


def collect(folders: Sequence[Path], source: str | None) -> tuple[dict[str, "Ticket"], dict[str, "Transfer"]]:
    """Return the tickets and the finished transfers in the folders, by their paths.

    Raises:
        UserError: one of the transfers needs `source`.
    """
    from robust_tickets.ticket.ticket import Ticket, is_ticket
    from robust_tickets.verbs.reopen import load_transfer

    drawn: list[Path] = []
    finished: list[Path] = []
    for folder in folders:
        tickets, transfers = list(tickets_in(folder)), list(transfers_in(folder))
        drawn += tickets or [place / "ticket" for place in transfers if is_ticket(place / "ticket")]
        finished += transfers
    return (
        {name: Ticket.load(place) for name, place in named(drawn).items()},
        {name: load_transfer(place, source=source) for name, place in named(finished).items()},
    )


def named(places: Sequence[Path]) -> dict[str, Path]:
    """Return places by names as short as they can be: what all paths begin with says nothing."""
    # Absolute, because some may be given so and others not.
    shown = {place: Path(os.path.abspath(place.parent if place.name == "ticket" else place)) for place in places}
    base = os.path.commonpath([place.parent for place in shown.values()]) if places else ""
    return {str(name.relative_to(base)): place for place, name in shown.items()}


def tickets_in(folder: Path) -> Iterator[Path]:
    """Yield the folders of tickets, in order, without those that a transfer keeps a copy of."""
    for path in sorted(folder.rglob("ticket.json")):
        if path.parent == folder or not (path.parent.parent / "transfer.json").is_file():
            yield path.parent


def transfers_in(folder: Path) -> Iterator[Path]:
    """Yield the folders of transfers all of whose seeds are done, in order."""
    from robust_tickets.foundation.files import read_json

    for path in sorted(folder.rglob("transfer.json")):
        seeds = read_json(path)["settings"]["seeds"]
        if all((path.parent / f"seed-{seed}" / "result.json").is_file() for seed in seeds):
            yield path.parent
