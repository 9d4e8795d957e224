"""A ticket's dense counterpart: the source's own transfer under the same settings, found if it was already made."""

import logging
from collections.abc import Iterator
from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import json_of
from robust_tickets.foundation.run_folder import root_of
from robust_tickets.verbs.place import RECORD
from robust_tickets.verbs.transfer import Transfer, taken_up, transfer

_log = logging.getLogger(__name__)


def dense_transfer(result: Transfer, folder: Path | None = None) -> Transfer:
    """Return the counterpart that `Transfer.dense` gives.

    Raises:
        UserError: it was trained in the user's own loop, which nothing here can repeat.
    """
    if result.ticket is None:
        return result
    if result.described is not None:
        raise UserError("against: give the dense network, trained in the same way, as in against=dense_model")
    asked = folder is not None
    if folder is None:
        if (place := counterpart(result)) is not None:
            return taken(result, place)
        folder = result.folder / "dense" if result.folder is not None else None
    seeds = ", ".join(str(seed) for seed in result.settings.seeds)
    where = f"will be kept in {folder}" if folder is not None else "will not be kept: the transfer has no folder"
    if folder is None or not all((folder / f"seed-{seed}" / "result.json").is_file() for seed in result.settings.seeds):
        tell = _log.info if asked else _log.warning
        tell("the dense network has not been transferred yet and is trained now, seeds %s; it %s", seeds, where)
    return transfer(result.source, result.data, settings=result.settings, folder=folder)


def counterpart(result: Transfer) -> Path | None:
    """Return the folder of the finished dense transfer that differs from this one in nothing but the ticket."""
    if result.folder is None:
        return None
    wanted = {}
    for run in result.runs:
        claim = json_of(result.folder / f"seed-{run.seed}" / "settings.json")
        if claim is None:
            return None
        wanted[f"seed-{run.seed}"] = {**claim, "ticket": None}
    return next((place for place in candidates(result.folder) if holds(place, wanted)), None)


def candidates(folder: Path) -> Iterator[Path]:
    """Yield the folders in which dense may be, the nearest first."""
    yield folder / "dense"
    for record in sorted(folder.parent.glob(f"*/{RECORD}")):
        yield record.parent
    if (root := root_of(folder)) is not None:
        for record in sorted(root.rglob(RECORD)):
            yield record.parent


def holds(folder: Path, wanted: dict[str, dict[str, object]]) -> bool:
    """Return whether finished runs of these settings are in a folder."""
    return all(
        (folder / seed / "result.json").is_file() and json_of(folder / seed / "settings.json") == claim
        for seed, claim in wanted.items()
    )


def taken(result: Transfer, folder: Path) -> Transfer:
    """Return the finished dense transfer in a folder, with the seeds of `result`; nothing is written."""
    splits = {run.seed: run.data for run in result.runs}
    return taken_up(result.source, None, result.data, result.settings, folder, splits)
