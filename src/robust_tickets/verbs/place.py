"""Where a path that a user gives leads: to the transfers in the folder of a run, or to one of them.

Only names and small files are looked at, so that a path that leads nowhere is refused before torch is loaded.
"""

from dataclasses import dataclass
from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import json_of
from robust_tickets.foundation.run_folder import VERBS, verb_of

CONFIRMED = "confirmed"
"""Folder in that of a search, of what is trained anew to be confirmed."""

RECORD = "transfer.json"
"""What makes a folder one of a transfer."""

NEXT = "train it with tickets transfer {0} --data DATA --out FOLDER"

HOLDS = {
    "ticket.json": f"is a ticket that has not been transferred yet; {NEXT}",
    "source.json": f"is a network, not a transfer; {NEXT}",
}
"""What else a folder may be, by the file that makes it so."""


@dataclass(frozen=True)
class TransferPlace:
    """A finished or unfinished transfer in a folder."""

    folder: Path
    seed: int | None = None
    """Where the folder of one seed was named: which."""
    way: str = ""
    """Of a run: the way of drawing that its ticket is from."""

    def __str__(self) -> str:
        """Return the path that leads here."""
        return str(self.folder if self.seed is None else self.folder / f"seed-{self.seed}")


def transfers_at(path: Path) -> tuple[TransferPlace, ...]:
    """Return the transfers that a path can mean: one, or in a run those of its tickets to its first target.

    Args:
        path: the folder of a run, of what `tickets find` made, of a transfer, or of one of its seeds; or a folder
            that holds one transfer.

    Raises:
        UserError: nothing is there, or something else; says what, and what to do.
    """
    if (path / RECORD).is_file():
        return (TransferPlace(path),)
    if not path.exists():
        raise UserError(f"{path}: no such folder; give the folder of a run or of a transfer")
    if not path.is_dir():
        raise UserError(f"{path}: is a file; give the folder of a run or of a transfer")
    if (path.parent / RECORD).is_file():
        seed = path.name.removeprefix("seed-")
        return (TransferPlace(path.parent, int(seed) if seed.isdigit() else None),)
    if verb_of(path) == "find":
        return (found_in(path),)
    places = [place for place in transfers_below(path) if is_drawn(place.folder)]
    for name, words in HOLDS.items() if not places else ():
        if (path / name).is_file():
            raise UserError(f"{path}: {words.format(path)}")
    if verb_of(path) == "run":
        places = of_the_first_target(path, places)
    if not places:
        raise UserError(
            f"{path}: contains no transfer of a ticket (no {RECORD} in it or below); tickets run or transfer makes one"
        )
    done = tuple(place for place in places if is_done(place.folder))
    if not done:
        raise UserError(f"{path}: none of its transfers is finished; rerun the command that made it to resume")
    return done


def is_work(folder: Path) -> bool:
    """Return whether a folder is that of a run, of what `tickets find` made, or of a transfer."""
    return (folder / RECORD).is_file() or verb_of(folder) in VERBS


def ticket_in(folder: Path) -> Path | None:
    """Return the ticket in the folder of a run or of a transfer; None if the folder is neither.

    Raises:
        UserError: it holds no ticket, or several, which are listed.
    """
    if not is_work(folder):
        return None
    tickets = [place.folder / "ticket" for place in transfers_at(folder) if is_drawn(place.folder)]
    if not tickets:
        raise UserError(f"{folder}: contains a dense network and no ticket; give the folder of one of its seeds")
    if len(tickets) > 1:
        raise UserError(f"{folder}: contains {len(tickets)} tickets; give one of them: {' | '.join(map(str, tickets))}")
    return tickets[0]


def transfers_below(folder: Path) -> list[TransferPlace]:
    """Return every transfer in a folder, in order."""
    return [TransferPlace(record.parent) for record in sorted(folder.rglob(RECORD))]


def of_the_first_target(run: Path, places: list[TransferPlace]) -> list[TransferPlace]:
    """Return the transfers of drawn tickets, no controls, to a run's first target, each with its way of drawing.

    They lie in `transfers/<target>/<source>/<transfer>/<way>/<kind>-<sparsity>`; the first target is `data`.
    """
    found = []
    for place in places:
        *_, target, _, _, way, name = ("", "", "", "", *place.folder.relative_to(run).parts)
        if target == "data" and name.startswith("drawn-"):
            found.append(TransferPlace(place.folder, way=way))
    return found


def found_in(folder: Path) -> TransferPlace:
    """Return the transfer of the ticket that `tickets find` chose.

    Raises:
        UserError: it is not done, or chose none.
    """
    found = json_of(folder / "found.json")
    if found is None:
        raise UserError(f"{folder}: tickets find has not finished here; rerun the same command to resume")
    chosen = (
        [folder / found["transfer"]]
        if found.get("transfer") is not None
        # Of searches by older versions.
        else [place for place in folder.glob("*/") if claim_of(place).get("ticket") == found["ticket"]]
    )
    if found["ticket"] is None or not chosen:
        places = [place for place in transfers_below(folder) if is_drawn(place.folder)]
        tried = [str(place) for place in places if CONFIRMED not in place.folder.relative_to(folder).parts]
        also = f"; name one of those it tried: {', '.join(tried)}" if tried else ""
        raise UserError(f"{folder}: tickets find found no ticket that matches{also}")
    return TransferPlace(chosen[0])


def claim_of(folder: Path) -> dict[str, object]:
    """Return what a transfer's folder is for: the digests of its source and of its ticket."""
    claim = json_of(folder / "settings.json") or {}
    return claim if claim.get("verb") == "transfers" else {}


def is_drawn(folder: Path) -> bool:
    """Return whether a transfer is of a ticket, and not of dense."""
    return (folder / "ticket" / "ticket.json").is_file()


def is_done(folder: Path) -> bool:
    """Return whether all seeds of a transfer are done."""
    record = json_of(folder / RECORD) or {}
    seeds = record.get("settings", {}).get("seeds", [])
    return all((folder / f"seed-{seed}" / "result.json").is_file() for seed in seeds)
