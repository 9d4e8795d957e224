"""Files of texts: what they have in common, whatever lies in their lines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.form import GivenPlace
from robust_tickets.data.forms.shards import shards_at, spoken_parts
from robust_tickets.data.forms.text_readings import read_text_tables
from robust_tickets.data.forms.text_table import ABSENT, TextTable
from robust_tickets.data.names import PartName
from robust_tickets.foundation.errors import UserError


class TextRow(NamedTuple):
    """One row of a file."""

    place: str
    """Where it is in its file, for messages: `line 3`."""
    values: Mapping[str, Any]
    """By column."""


Rows = Callable[[Path], Iterator[TextRow]]
"""What reads the rows of a file."""


def read_text(path: Path) -> str:
    """Return the content of a text file, whose lines end in `\\n`.

    Raises:
        UserError: it is not UTF-8 text, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in content:
        raise UserError(f"{path}: is not a text file: it contains zero bytes; save it as UTF-8 text")
    try:
        # Spreadsheets and editors on Windows begin such files with a byte-order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: is not UTF-8 text ({error.reason}); save the file as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_rows(place: GivenPlace, ending: str, rows: Rows) -> Found:
    """Return the texts in tables that lie in files, whose names or folders say which part they are.

    Raises:
        UserError: a file cannot be read, or what is asked for is not in its columns.
    """
    files = shards_at(place.path, ending)
    of_part: dict[PartName, list[Path]] = {}
    for part, file in zip(spoken_parts(files, place.root), files, strict=True):
        of_part.setdefault(part, []).append(file)
    tables: dict[PartName, TextTable] = {}
    for part, paths in of_part.items():
        tables[part] = table_of(paths, rows)
    return read_text_tables(tables, place.columns, str(place.path), place.name)


def table_of(paths: Sequence[Path], rows: Rows) -> TextTable:
    """Return the rows of files, one after the other; a value that a row lacks is `ABSENT`.

    Raises:
        UserError: there are none.
    """
    places: list[tuple[Path, str]] = []
    columns: dict[str, list[Any]] = {}
    for path in paths:
        for place, values in rows(path):
            for name in values:
                columns.setdefault(name, [ABSENT] * len(places))
            places.append((path, place))
            for name, column in columns.items():
                column.append(values.get(name, ABSENT))
    if not places:
        raise UserError(f"{paths[0]}: contains no rows")
    return TextTable(columns, lambda index: f"{places[index][0]}, {places[index][1]}", len(places))
