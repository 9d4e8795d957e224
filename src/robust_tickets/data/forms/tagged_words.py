"""Texts as lists of words, each with a tag: names in them, parts of speech."""

from collections.abc import Mapping
from typing import Any

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.labelled_texts import USUAL
from robust_tickets.data.forms.labels import numbered
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.word_tags import WordTags
from robust_tickets.data.texts.texts import Texts
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

WORDS = ("tokens", "words")
"""Columns of lists of words; the first that is there."""

TAGS = ("tags", "ner_tags", "ner", "labels", "pos_tags", "upos", "chunk_tags")
"""Columns of lists of tags; the first that is there."""


def tagged_words(tables: Mapping[PartName, TextTable], columns: Columns, place: str, name: str) -> Found | None:
    """Return texts with a tag for each word; None if no column holds lists of words.

    The tags of all parts are the classes; notes name those that training lacks. Texts without words are left out.

    Raises:
        UserError: there are no tags, or more or fewer than words.
    """
    first = tables.get("train") or next(iter(tables.values()))
    words = words_column(first, columns)
    if words is None:
        return None
    tags = tags_column(first, columns, words)
    if tags is None:
        if any(map(first.has, USUAL)):
            return None
        raise UserError(
            f"{place}: has the columns {enumerated(list(first.columns))}; name the column that has a tag for each word "
            "with data.label"
        )
    rows: dict[PartName, list[int]] = {}
    given: dict[PartName, list[Any]] = {}
    texts: dict[PartName, list[list[str]]] = {}
    for part, table in tables.items():
        table.require((words, tags), "as in other parts")
        pairs = [
            pair_of(text, said, table.where(index))
            for index, (text, said) in enumerate(zip(table.values(words), table.values(tags), strict=True))
        ]
        rows[part] = [index for index, (text, _) in enumerate(pairs) if text]
        texts[part] = [pairs[index][0] for index in rows[part]]
        given[part] = [tag for index in rows[part] for tag in pairs[index][1]]
    row_of = {part: [row for row, text in zip(rows[part], texts[part], strict=True) for _ in text] for part in texts}
    numbers, classes = numbered(
        given, lambda part, index: tables[part].where(row_of[part][index]), first.classes.get(tags, ())
    )
    parts: dict[PartName, Listing] = {}
    for part, held in texts.items():
        lengths = [len(text) for text in held]
        parts[part] = Listing.whole(Texts(held), WordTags(torch.tensor(numbers[part]).split(lengths)))
    notes = [
        f"texts of the {part} part without words, left out: {left:,}"
        for part, table in tables.items()
        if (left := table.count - len(rows[part]))
    ]
    trained = set(numbers.get("train", range(len(classes))))
    if lacking := [classes[tag] for tag in sorted(set().union(*numbers.values()) - trained)]:
        notes.append(f"tags that training lacks, so that nothing can learn them: {enumerated(lacking)}")
    return Found(parts, classes, name, notes=tuple(notes))


def words_column(table: TextTable, columns: Columns) -> str | None:
    """Return the column of lists of words: the one named, or the first that is usually called so; None if none is."""
    return next((name for name in columns.text or WORDS if holds_lists(table, name)), None)


def tags_column(table: TextTable, columns: Columns, words: str) -> str | None:
    """Return the column of lists of tags: the one named, or the first that is usually called so; None if none is.

    Raises:
        UserError: the one named is not there.
    """
    if columns.label is not None:
        table.require([columns.label], "data.label")
    asked = TAGS if columns.label is None else (columns.label,)
    return next((name for name in asked if name != words and holds_lists(table, name)), None)


def holds_lists(table: TextTable, name: str) -> bool:
    """Return whether a column is there, and its first value is a list."""
    return name in table.columns and isinstance(next(iter(table.columns[name])), list | tuple)


def pair_of(words: Any, tags: Any, where: str) -> tuple[list[str], list[Any]]:
    """Return the words of a text and their tags.

    Raises:
        UserError: they are no lists, of different length, or the words no strings.
    """
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{where}: should hold a list of words, not {str(words)[:40]!r}")
    if not isinstance(tags, list | tuple) or len(tags) != len(words):
        told = f"{len(tags)} tags" if isinstance(tags, list | tuple) else f"{str(tags)[:40]!r}"
        raise UserError(f"{where}: has {len(words)} words but {told}; give one tag for each word")
    return list(words), list(tags)
