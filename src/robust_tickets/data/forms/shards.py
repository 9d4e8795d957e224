"""Files that are one data set together: given as one file, as a pattern, or as the folder in which they lie."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from robust_tickets.data.forms.patterns import is_pattern, matching
from robust_tickets.data.names import PartName, part_in, part_of
from robust_tickets.foundation.errors import UserError


def shards_at(path: Path, ending: str, inside: Sequence[str] = ()) -> list[Path]:
    """Return the files with an ending that a path means, sorted; none if the path means something else.

    In a folder they lie in it, or in folders that are called like parts. Where there are other folders beside them,
    these are classes, and the files archives that somebody left.

    Args:
        path: a file, a pattern of files, or a folder.
        ending: of the files, such as `.tar`.
        inside: further folders in which they may lie.

    Raises:
        UserError: a pattern means no files.
    """
    if is_pattern(path):
        files = matching(path)
    elif path.is_dir():
        within = [
            [] if folders_in(folder) or not spoken(folder.name, inside) else shards_in(folder, ending)
            for folder in folders_in(path)
        ]
        files = [*shards_in(path, ending), *chain.from_iterable(within)] if all(within) else []
    else:
        files = [path] if path.is_file() else []
    return sorted(files) if all(file.suffix == ending for file in files) else []


def folders_in(folder: Path) -> list[Path]:
    """Return the visible folders in a folder."""
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def shards_in(folder: Path, ending: str) -> list[Path]:
    """Return the visible files in a folder with an ending."""
    return list(folder.glob(f"[!.]*{ending}"))


def spoken(name: str, others: Sequence[str]) -> bool:
    """Return whether a folder is called like a part, or as one of `others`."""
    return part_of(name) is not None or name in others


def spoken_parts(files: Sequence[Path], root: Path) -> list[PartName]:
    """Return the part that each file's name, or that of its folder below `root`, speaks of; train, where none does.

    Raises:
        UserError: some names do and some do not, so that images of the others would be trained on unasked.
    """
    said: list[PartName | None] = [part_of_file(file, root) for file in files]
    told = [file for file, part in zip(files, said, strict=True) if part is not None]
    silent = [file for file, part in zip(files, said, strict=True) if part is None]
    if told and silent:
        raise UserError(
            f"{silent[0]}: its name contains no part, unlike {told[0].name}; put train, val or test into it"
        )
    return [part or "train" for part in said]


def part_of_file(file: Path, root: Path) -> PartName | None:
    """Return the part that a file's name or that of its folder speaks of."""
    return part_in(file.stem) or (part_of(file.parent.name) if file.parent != root else None)
