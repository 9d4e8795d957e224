"""Texts as they are given: lines of files, columns of tables, strings, pairs, lists of words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.json_files import rows_of_file
from robust_tickets.data.forms.json_lines import rows_of_json
from robust_tickets.data.forms.labelled_texts import text_columns, texts_of
from robust_tickets.data.forms.questions import CONTEXT, QUESTION
from robust_tickets.data.forms.separated import BY_COMMAS, BY_TABS
from robust_tickets.data.forms.tagged_words import words_column
from robust_tickets.data.forms.text_files import Rows, read_text, table_of
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.forms.user_texts import user_table
from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.foundation.errors import UserError
from robust_tickets.verbs.predict.prediction import Text

TABLES: dict[str, Rows] = {
    ".tsv": BY_TABS.rows,
    ".csv": BY_COMMAS.rows,
    ".jsonl": rows_of_json,
    ".json": rows_of_file,
}
"""What reads the rows of a file, by its ending."""

LINES = ".txt"
ENDINGS = (LINES, *TABLES)
"""Of files that hold texts."""


@dataclass(frozen=True)
class GivenTexts:
    """Texts in the order in which they were given.

    Attributes:
        texts: all of one kind where they are from a table.
        place: where they are from, for messages.
    """

    texts: tuple[Text, ...]
    place: str

    def require(self, what: str, fits: type[Any] | tuple[type[Any], ...], instead: str) -> None:
        """Refuse texts of another kind than a network takes.

        Raises:
            UserError: names the first one.
        """
        for number, text in enumerate(self.texts, 1):
            if not isinstance(text, fits):
                raise UserError(f"{self.place}: text {number} is {kind_of(text)}, but {what}; {instead}")


def kind_of(text: Text) -> str:
    """Return what a text is: one, a pair, or words."""
    return "one text" if isinstance(text, str) else "a pair" if isinstance(text, tuple) else "a list of words"


def given_texts(given: Any, asker: str) -> GivenTexts:
    """Return texts from whatever holds them.

    Args:
        given: a file (.txt, .tsv, .csv, .jsonl, .json); a text; or a list of texts, pairs, lists of words or mappings,
            among which files stand for what is in them.
        asker: the network, for messages.

    Raises:
        UserError: no such file, one of images or of another kind, nothing that is a text, or nothing at all.
    """
    if isinstance(given, Path) or (isinstance(given, str) and Path(given).is_file()):
        found = texts_in(Path(given), asker)
    elif isinstance(given, str):
        found = GivenTexts((require_text(given, asker),), "the text")
    elif isinstance(given, Sequence) and not isinstance(given, bytes):
        found = texts_listed(given, asker)
    else:
        raise UserError(f"{asker}: takes texts, not a {type(given).__name__}; give strings, or a {LINES} file")
    if not found.texts:
        raise UserError(f"{found.place}: there are no texts")
    return found


def require_text(given: str, asker: str) -> str:
    """Return a text that is given alone, if it does not look like the name of a file.

    Raises:
        UserError: it is a single word, and so probably a file that is not there.
    """
    if given and not any(map(str.isspace, given)):
        raise UserError(f"{given}: no such file; to ask {asker} about a text of one word, put it into a {LINES} file")
    return given


def texts_listed(given: Sequence[Any], asker: str) -> GivenTexts:
    """Return the texts of a list.

    Raises:
        UserError: an item is no text.
    """
    if given and all(isinstance(one, Mapping) for one in given):
        return GivenTexts(tuple(texts_of_table(user_table(given, "the list"), "the list")), "the list")
    texts: list[Text] = []
    place = "the list"
    for number, one in enumerate(given):
        if isinstance(one, Path):
            found = texts_in(one, asker)
            texts += found.texts
            place = found.place if len(given) == 1 else place
        elif isinstance(one, str):
            texts.append(one)
        elif isinstance(one, list | tuple) and all(isinstance(part, str) for part in one):
            texts.append(pair_of(one, number) if isinstance(one, tuple) else list(one))
        else:
            raise UserError(f"{asker}: takes texts, but item {number} is a {type(one).__name__}; give strings")
    return GivenTexts(tuple(texts), place)


def pair_of(given: tuple[str, ...], number: int) -> tuple[str, str]:
    """Return a pair of texts.

    Raises:
        UserError: there are more or fewer than two.
    """
    if len(given) != 2:
        raise UserError(f"item {number} has {len(given)} texts; give pairs, or lists of words as lists")
    return given[0], given[1]


def texts_in(path: Path, asker: str) -> GivenTexts:
    """Return the texts in a file: its lines, empty ones too, or the columns that training takes.

    Raises:
        UserError: no such file, it holds something else, or no column is known to hold texts.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    ending = path.suffix.lower()
    if path.is_dir() or ending not in ENDINGS:
        what = "is a folder" if path.is_dir() else "is an image" if ending in SUFFIXES else "is no file of texts"
        raise UserError(f"{path}: {what}, but {asker} takes texts; give a file that ends in {', '.join(ENDINGS)}")
    if ending == LINES:
        lines = read_text(path).split("\n")
        return GivenTexts(tuple(lines[:-1] if not lines[-1] else lines), str(path))
    return GivenTexts(tuple(texts_of_table(table_of([path], TABLES[ending]), str(path))), str(path))


def texts_of_table(table: TextTable, place: str) -> list[Any]:
    """Return what is in a table: questions with their contexts, lists of words, pairs, or texts.

    Raises:
        UserError: no column is usually called so.
    """
    if table.has((QUESTION, CONTEXT)):
        return texts_of(table, (QUESTION, CONTEXT))
    if (words := words_column(table, Columns())) is not None:
        return [list(one) for one in table.values(words)]
    try:
        return texts_of(table, text_columns(table, Columns(), place))
    except UserError as error:
        raise UserError(str(error).replace("name the text column with data.text", "call the texts `text`")) from None
