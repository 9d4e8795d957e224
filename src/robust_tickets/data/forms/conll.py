"""CoNLL's columns: one word a line, its tag in the last column, an empty line between texts."""

import re
from collections.abc import Iterator
from pathlib import Path

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.form import DataForm, GivenPlace
from robust_tickets.data.forms.shards import shards_at
from robust_tickets.data.forms.text_files import TextRow, read_rows, read_text
from robust_tickets.foundation.errors import UserError

ENDINGS = (".conll", ".bio", ".iob", ".iob2", ".txt")
"""How such files are called; those that end in .txt are looked into."""

TAG = re.compile(r"O|[BIESLU]-\S+")
PROBED = 20
"""Lines that are looked at."""

DOCUMENT = "-DOCSTART-"
"""What stands in the place of a word where CoNLL-2003 begins a document."""


def conll_files(path: Path) -> tuple[str, list[Path]]:
    """Return the ending of the files that a path means, and the files; none if they hold something else."""
    for ending in ENDINGS:
        files = shards_at(path, ending)
        if files and (ending != ".txt" or all(map(is_conll, files))):
            return ending, files
    return "", []


def is_conll(file: Path) -> bool:
    """Return whether a file's first lines are columns, equally many, of which the last holds tags of names."""
    with open(file, encoding="utf-8-sig", errors="replace") as lines:
        split = [line.split() for _, line in zip(range(PROBED), lines, strict=False)]
    rows = [cells for cells in split if cells and not cells[0].startswith((DOCUMENT, "#"))]
    widths = {len(cells) for cells in rows}
    return len(widths) == 1 and min(widths) > 1 and all(TAG.fullmatch(cells[-1]) for cells in rows)


def rows_of_words(path: Path) -> Iterator[TextRow]:
    """Yield the texts of a file. Marks of documents are skipped, and so are comments: lines that begin with #, where
    a text begins, and have another number of columns.

    Raises:
        UserError: a line has no tag, or another number of columns than the first one.
    """
    words: list[str] = []
    tags: list[str] = []
    width = last = 0
    for number, line in enumerate([*read_text(path).split("\n"), ""], 1):
        # Spaces may belong to a column where tabs separate them.
        cells = line.strip("\r\n").split("\t") if "\t" in line.strip() else line.split()
        if not cells or cells[0] == DOCUMENT:
            if words:
                yield TextRow(f"line {last}", {"tokens": words, "tags": tags})
            words, tags = [], []
            continue
        if not words and cells[0].startswith("#") and len(cells) != (width or 2):
            continue
        width = width or len(cells)
        if len(cells) != width or width < 2:
            told = f"{len(cells)} column{'s' * (len(cells) != 1)}"
            right = f"the first line has {width}" if width > 1 else "a word and its tag are needed"
            raise UserError(f"{path}, line {number}: has {told}, but {right}; separate them by spaces or tabs")
        words.append(cells[0])
        tags.append(cells[-1])
        last = number


def read_conll(place: GivenPlace) -> Found:
    """Return the texts of files, whose names or folders say which part they are."""
    return read_rows(place, conll_files(place.path)[0], rows_of_words)


CONLL = DataForm("CoNLL's columns", lambda path: bool(conll_files(path)[1]), read_conll, ending=".conll", rank=1)
