"""Reopen: the transfer that a path means, with its networks; of a run the one that the run would ship."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.run_folder import located, root_of, verb_of
from robust_tickets.foundation.settings import Settings, parse
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.models.sources import Source
from robust_tickets.tasks.target import Data, target_data
from robust_tickets.ticket.ticket import Ticket, load_recorded
from robust_tickets.verbs.exported import provenance_at, provenance_of
from robust_tickets.verbs.place import RECORD, TransferPlace, claim_of, is_done, transfers_at, transfers_below
from robust_tickets.verbs.transfer import Transfer, TransferRecord, taken_up, transfer
from robust_tickets.verbs.verify import sparsest_match
from robust_tickets.verbs.verify_settings import VerifySettings

_log = logging.getLogger(__name__)

Part = TypeVar("Part", bound=Settings)

PlaceCommand = Callable[[TransferPlace], str]
"""What a user would type for a place."""

LISTED = 6
"""Choices that a refusal lists."""


def load_transfer(
    folder: Path | str,
    *,
    source: Source | str | Path | None = None,
    data: Data | None = None,
    made: Path | None = None,
    command: PlaceCommand | None = None,
) -> Transfer:
    """Load the runs in a folder that `transfer`, `find` or `run` kept; unfinished ones are finished.

    Args:
        folder: of a transfer, of one of its seeds, of a result of `find`, or of a run: there, the sparsest ticket that
            matches dense on validation, or else the best one, as a run exports it; the log says which.
        source: the network, or where it is now, if it was a module in memory, the user's own function, or a
            folder or file that was moved.
        data: the data, if they were objects in memory, or have moved.
        made: a file that `shrink` made from one of the transfers in the folder, which selects that transfer.
        command: turns a place into what the user would give instead, for a list of choices.

    Raises:
        UserError: no such folder, one with several transfers and nothing to choose between them, or
            it needs the source or the data.
    """
    folder = Path(folder)
    first, *others = transfers_at(folder)
    if others or (made is not None and verb_of(folder) == "run"):
        command = command or (lambda place: f'rt.load_transfer("{place}")')
        return reopened(chosen(folder, [first, *others], source, data, made, command), source, data)
    if first.folder not in (folder, folder.parent):
        _log.info("%s: its transfer is %s", folder, first)
    return reopened(first, source, data)


def reopened(place: TransferPlace, source: Source | str | Path | None, data: Data | None) -> Transfer:
    """Load the runs of one transfer.

    Raises:
        UserError: see `load_transfer`.
    """
    folder = place.folder
    record = parse(TransferRecord, read_json(folder / RECORD), str(folder / RECORD))
    given = data if data is not None else record.data
    if given is None:
        raise UserError(f"{folder}: its data were objects in memory; give them again as data")
    settings = record.settings
    if place.seed is not None:
        settings = settings.model_copy(update={"seeds": (place.seed,)})
    where = record.source.model_copy(
        update={name: located(getattr(record.source, name), folder) for name in ("name", "weights")}
    )
    network = load_recorded(where, source, f"{folder}: its network")
    ticket = None if record.dense else Ticket.load(folder / "ticket").with_network(network)
    if place.seed is None and not is_done(folder):
        _log.warning("%s: not all of its seeds are finished; the others are trained now", folder)
        return transfer(ticket or network, given, settings=settings, folder=folder)
    splits = {seed: target_data(given, network, seed) for seed in settings.seeds}
    return taken_up(network, ticket, given, settings, folder, splits)


def chosen(
    folder: Path,
    places: Sequence[TransferPlace],
    source: Source | str | Path | None,
    data: Data | None,
    made: Path | None,
    command: PlaceCommand,
) -> TransferPlace:
    """Return the one of several transfers that is meant, and say in the log which.

    Raises:
        UserError: the file was made of none of them, or nothing says which is meant; lists what can be given instead.
    """
    networks: dict[object, Source] = {}

    def opened(place: TransferPlace) -> Transfer:
        digest = claim_of(place.folder).get("source")
        result = reopened(place, networks.get(digest, source), data)
        networks[digest] = result.source
        return result

    if made is not None:
        said = provenance_at(made)
        for place in transfers_below(folder):
            if not is_done(place.folder) or claim_of(place.folder).get("ticket") != said.ticket:
                continue
            result = opened(place)
            if said in [provenance_of(result, run) for run in result.runs]:
                _log.info("%s: %s was made from %s", folder, made, place)
                return place
        raise UserError(f"{made}: was not made from any of the transfers in {folder}; give the run it was shrunk from")
    if verb_of(folder) != "run":
        raise UserError(choice(folder, "contains several transfers", places, command))
    settings = settings_of(folder)
    best: list[TransferPlace] = []
    for together in grouped(places, lambda place: place.way).values():
        if len(together) > 1:
            _log.info("%s: choosing one of %d tickets on validation", folder, len(together))
            pairs = [(result, result.dense()) for result in map(opened, together)]
            index = sparsest_match(pairs, settings)
            told = f"{sparsity_percent(pairs[index][0].sparsity)} % sparsity, {together[index]}"
            _log.info("%s: the sparsest ticket that matches on validation, or else the best: %s", folder, told)
            best.append(together[index])
        else:
            best += together
    if len(best) > 1:
        raise UserError(choice(folder, "its tickets were drawn in several ways", best, command))
    return best[0]


def choice(folder: Path, why: str, places: Sequence[TransferPlace], command: PlaceCommand) -> str:
    """Return a refusal that lists what can be given instead of a folder."""
    more = f"; and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return f"{folder}: {why}; choose: {' | '.join(command(place) for place in places[:LISTED])}{more}"


def settings_of(folder: Path) -> VerifySettings:
    """Return what counts as matching in the run that a folder is or lies in, as its recipe says; else the defaults.

    Raises:
        UserError: the recipe is not readable.
    """
    return recorded(VerifySettings, folder, "verify") or VerifySettings()


def recorded(kind: type[Part], folder: Path, name: str) -> Part | None:
    """Return a part of the recipe of the run that a folder is or lies in; None: no run, or its recipe leaves it out.

    Args:
        kind: the part's settings.
        folder: any.
        name: of the part in the recipe.

    Raises:
        UserError: the recipe is not readable.
    """
    run = root_of(folder)
    path = run / "recipe.yaml" if run is not None else folder
    if run is None or not path.is_file():
        return None
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({error}); rerun the command that made the run") from None
    values = content.get(name)
    return parse(kind, values, f"{path}: {name}") if values is not None else None
