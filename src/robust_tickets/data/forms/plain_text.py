"""Plain text: one line a text, in files alone or in a folder of nothing else (.txt)."""

from pathlib import Path

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import DataForm, GivenPlace
from robust_tickets.data.forms.shards import folders_in, part_of_file, shards_at
from robust_tickets.data.forms.text_files import read_text
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.hidden_words import HiddenWords
from robust_tickets.data.texts.texts import Texts
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

ENDING = ".txt"
ORDER: tuple[PartName, ...] = ("train", "validation", "test")
NOTES = {"readme", "license", "licence", "copying", "citation", "notice"}
"""Files that tell of a corpus and are none, by their names without endings."""


def text_files(path: Path) -> list[Path]:
    """Return the files of a corpus that a path means; none where other files lie beside them."""
    found = [file for file in shards_at(path, ENDING) if not is_note(file) or file == path]
    if not path.is_dir():
        return found
    there = [entry for folder in (path, *folders_in(path)) for entry in folder.glob("[!.]*") if entry.is_file()]
    return found if all(entry.suffix == ENDING or is_note(entry) for entry in there) else []


def is_note(file: Path) -> bool:
    """Return whether a file tells of others."""
    return file.name.split(".")[0].lower() in NOTES


def read_plain_text(place: GivenPlace) -> Found:
    """Return the lines of a corpus; empty ones are skipped.

    A file whose name or folder speaks of a part is that part, every other one is text to train on.

    Raises:
        UserError: a file cannot be read, or a part has no text.
    """
    files = text_files(place.path)
    of_part: dict[PartName, list[Path]] = {}
    for file in files:
        of_part.setdefault(part_of_file(file, place.root) or "train", []).append(file)
    parts: dict[PartName, Listing] = {}
    for part, paths in of_part.items():
        lines = [line for path in paths for line in map(str.strip, read_text(path).split("\n")) if line]
        if not lines:
            raise UserError(f"{paths[0]}: contains no text")
        parts[part] = Listing.whole(Texts(lines), HiddenWords(len(lines)))
    told = "; ".join(
        f"{part}: {enumerated([path.name for path in of_part[part]])}" for part in ORDER if part in of_part
    )
    return Found(parts, (), place.name, notes=(f"a corpus of {len(files)} files: {told}",) if len(files) > 1 else ())


PLAIN_TEXT = DataForm("plain text", lambda path: bool(text_files(path)), read_plain_text, ending=ENDING, rank=2)
