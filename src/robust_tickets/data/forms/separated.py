"""Tables of texts with a header line: columns between tabs, as GLUE's (.tsv), or between commas (.csv)."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.form import DataForm, GivenPlace
from robust_tickets.data.forms.labelled_texts import LABELS, USUAL
from robust_tickets.data.forms.shards import shards_at
from robust_tickets.data.forms.text_files import TextRow, read_rows, read_text
from robust_tickets.data.forms.text_table import NUMBER
from robust_tickets.data.names import require_once
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

LONGEST_FIELD = 2**31 - 1
"""Characters of a text in quotes; the module's own limit is shorter than some documents."""

NumberedCells = tuple[int, list[str]]
"""Where a row ends in its file, from 1, and its cells."""


def between_tabs(path: Path) -> Iterator[NumberedCells]:
    """Yield the rows of a file, its first line included; quotes mean themselves, empty lines are skipped."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line:
            yield number, line.split("\t")


def between_commas(path: Path) -> Iterator[NumberedCells]:
    """Yield the rows of a file, its first line included; texts in double quotes may hold commas and line ends.

    Raises:
        UserError: a quotation has no end, or goes on after it.
    """
    before = csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: is not valid CSV ({error}); put texts in quotes") from None
    finally:
        csv.field_size_limit(before)


@dataclass(frozen=True)
class Separation:
    """What stands between columns.

    Attributes:
        ending: of the files.
        noun: what they are called.
        mark: what stands between, for messages.
        lines: reads a file.
    """

    ending: str
    noun: str
    mark: str
    lines: Callable[[Path], Iterator[NumberedCells]]

    def read(self, place: GivenPlace) -> Found:
        """Return the texts of tables, whose names or folders say which part they are.

        The first line names the columns. A file without such a line has those of the files beside it.

        Raises:
            UserError: no file names its columns, a row has more or fewer, or what is asked for is not in them.
        """
        files = shards_at(place.path, self.ending)
        known = {*(place.columns.text or ()), place.columns.label, *LABELS, *chain.from_iterable(USUAL)}
        firsts = {file: self.first_line(file) for file in files}
        headers = [cells for cells in firsts.values() if cells is not None and is_header(cells)]
        headers.sort(key=lambda cells: not known.intersection(cells))
        bare = [file for file, cells in firsts.items() if headers and lacks_header(cells, headers[0])]

        found = read_rows(place, self.ending, lambda path: self.rows(path, headers[0] if path in bare else None))
        said = f"no header line in {enumerated([file.name for file in bare])}: its columns are those of the other files"
        return replace(found, notes=(said, *found.notes)) if bare else found

    def rows(self, path: Path, names: Sequence[str] | None = None) -> Iterator[TextRow]:
        """Yield the rows of a file; its first line names the columns, unless `names` are given.

        Raises:
            UserError: it does not, or a row has more or fewer.
        """
        found = self.lines(path)
        names = names or self.header(path, found)
        for number, cells in found:
            yield TextRow(f"line {number}", self.named(path, number, names, cells))

    def first_line(self, path: Path) -> list[str]:
        """Return the cells of a file's first line.

        Raises:
            UserError: there is none.
        """
        try:
            return stripped(next(self.lines(path))[1])
        except StopIteration:
            raise UserError(f"{path}: is empty; its first line should name the columns") from None

    def header(self, path: Path, lines: Iterator[NumberedCells]) -> list[str]:
        """Return the names of columns, from the first of a file's lines.

        Raises:
            UserError: they are none, or one comes twice.
        """
        try:
            names = stripped(next(lines)[1])
        except StopIteration:
            raise UserError(f"{path}: is empty; its first line should name the columns") from None
        if not is_header(names):
            raise UserError(
                f"{path}, line 1: should name the columns, but reads {' | '.join(names)[:60]!r}; add a line such as "
                f"sentence and label, with {self.mark} between the names"
            )
        require_once(names, f"{path}, line 1: the column")
        return names

    def named(self, path: Path, line: int, names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
        """Return the values of a row by column.

        Raises:
            UserError: there are more or fewer than columns.
        """
        if len(cells) != len(names):
            raise UserError(
                f"{path}, line {line}: has {len(cells)} columns, but the first line names {len(names)}; columns are "
                f"separated by {self.mark}"
            )
        return dict(zip(names, cells, strict=True))

    def form(self) -> DataForm:
        """Return the form of data that such files are."""
        return DataForm(
            self.noun,
            lambda path: bool(shards_at(path, self.ending)),
            self.read,
            ending=self.ending,
            columns=frozenset({"label", "text"}),
            rank=1,
        )


def stripped(cells: Sequence[str]) -> list[str]:
    """Return names without spaces around them."""
    return [cell.strip() for cell in cells]


def is_header(cells: Sequence[str]) -> bool:
    """Return whether a line may name columns: no number does. pandas leaves the first one empty, of rows' numbers."""
    return all(cells[1:]) and not any(map(NUMBER.fullmatch, cells))


def lacks_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a file's first line is a row already: as wide as the others' header, and no name in common."""
    return len(cells) == len(header) and not set(cells) & set(header)


BY_TABS = Separation(".tsv", "TSV tables", "tabs", between_tabs)
BY_COMMAS = Separation(".csv", "CSV tables", "commas", between_commas)
TSV, CSV = BY_TABS.form(), BY_COMMAS.form()
