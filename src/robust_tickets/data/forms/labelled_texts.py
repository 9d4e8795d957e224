"""Texts, or pairs of texts, with a label in another column: a class or a number; or without one."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.labels import NUMBER as WHOLE
from robust_tickets.data.forms.labels import numbered
from robust_tickets.data.forms.text_table import NUMBER, TextTable
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.targets.hidden_words import HiddenWords
from robust_tickets.data.targets.numbers import Numbers
from robust_tickets.data.targets.targets import Targets
from robust_tickets.data.texts.texts import Text, Texts
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

PAIRS = (
    *(("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("question", "sentence")),
    *(
        ("question", "passage"),
        ("query", "passage"),
        ("text1", "text2"),
        ("text_a", "text_b"),
        ("sentence_a", "sentence_b"),
    ),
    ("#1 String", "#2 String"),
)
SINGLE = (("sentence",), ("text",), ("review",), ("content",), ("document",), ("comment_text",), ("tweet",))
USUAL: tuple[tuple[str, ...], ...] = (*PAIRS, *SINGLE)
"""Columns of texts as GLUE and the usual sets call them; the first that are there."""

LABELS = (
    *("label", "labels", "gold_label", "score", "target", "class", "sentiment", "category", "stars", "rating"),
    *("is_duplicate", "answer", "intent", "emotion", "Quality", "label-coarse", "coarse_label"),
)
"""Columns of labels; the first that is there."""

UNLABELLED = ("-1", "-1.0", "None", "")
"""What sets have as the labels of a test part that keeps them to itself."""


def labelled_texts(tables: Mapping[PartName, TextTable], columns: Columns, place: str, name: str) -> Found:
    """Return texts with what the label column says: classes, numbers, or, where there is none, their own words.

    A label column with a decimal point in any row holds numbers. Without a label a single column of texts is plain
    text, if there is no other column or the column was named.

    Raises:
        UserError: a column is missing or holds something else, or a label is no label.
    """
    first = tables.get("train") or next(iter(tables.values()))
    texts = text_columns(first, columns, place)
    label = label_column(first, columns, texts, place)
    for table in tables.values():
        table.require(texts, "as in other parts")
    if label is None:
        plain: dict[PartName, Listing] = {}
        for part, table in tables.items():
            plain[part] = Listing.whole(Texts(texts_of(table, texts)), HiddenWords(table.count))
        return Found(plain, (), name, notes=(f"{texts[0]} is read as plain text, without labels",))
    given, notes = labels_of(tables, label)
    if not given:
        raise UserError(f"{place}: {label} says nothing in any row; give labels")
    declared = first.classes.get(label, ())
    rows: dict[PartName, list[int]] = {}
    for part, said in given.items():
        rows[part] = labelled_rows(said, declared)
        if left := len(said) - len(rows[part]):
            notes.append(f"rows of the {part} part without a label (-1), left out: {left:,}")
        given[part] = [said[row] for row in rows[part]]
    targets, classes = targets_of(given, lambda part, index: tables[part].where(rows[part][index]), declared)
    parts: dict[PartName, Listing] = {}
    for part, chosen in rows.items():
        found = texts_of(tables[part], texts)
        parts[part] = Listing.whole(Texts([found[row] for row in chosen]), targets[part])
    return Found(parts, classes, name, notes=tuple(notes))


def text_columns(table: TextTable, columns: Columns, place: str) -> tuple[str, ...]:
    """Return the column of texts, or the two of pairs: those named, or the first that are usually called so.

    Raises:
        UserError: there are none.
    """
    if columns.text is not None:
        table.require(columns.text, "data.text")
        return columns.text
    found = [names for names in USUAL if table.has(names) and columns.label not in names]
    if not found:
        raise UserError(
            f"{place}: has the columns {enumerated(list(table.columns))}; name the text column with data.text"
        )
    return found[0]


def label_column(table: TextTable, columns: Columns, texts: Sequence[str], place: str) -> str | None:
    """Return the column of labels: the one named, or the first that is usually called so; None for plain text.

    Raises:
        UserError: there is none, and the data may not be plain text.
    """
    if columns.label is not None:
        table.require([columns.label], "data.label")
        if columns.label in texts:
            raise UserError(
                f"{place}: the column {columns.label} contains the texts; name the label column with data.label"
            )
        return columns.label
    usual = [name for name in LABELS if name in table.columns and name not in texts]
    if usual:
        return usual[0]
    if len(texts) == 1 and (columns.text is not None or len(table.columns) == 1):
        return None
    plain = ", or, if it is plain text, its column with data.text" if len(texts) == 1 else ""
    raise UserError(
        f"{place}: has the columns {enumerated(list(table.columns))}; name the label column with data.label{plain}"
    )


def texts_of(table: TextTable, names: Sequence[str]) -> list[Text]:
    """Return the texts in a column, or the pairs in two.

    Raises:
        UserError: a column holds something else.
    """
    found = [table.texts(name) for name in names]
    return list(found[0]) if len(found) == 1 else list(zip(*found, strict=True))


def labels_of(tables: Mapping[PartName, TextTable], name: str) -> tuple[dict[PartName, list[Any]], list[str]]:
    """Return the labels of each part that has any, and a note on each that has none."""
    found: dict[PartName, list[Any]] = {}
    notes: list[str] = []
    for part, table in tables.items():
        said = [as_label(value) for value in table.values(name)] if name in table.columns else []
        if all(str(one) in UNLABELLED for one in said):
            notes.append(f"the {part} part has no labels: left out")
        else:
            found[part] = said
    return found, notes


def as_label(value: Any) -> Any:
    """Return a label as `numbered` takes it: true and false are names."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else value


def labelled_rows(labels: Sequence[Any], declared: Sequence[str]) -> list[int]:
    """Return the rows that have a label: where classes are declared, -1 is none (SNLI)."""
    return [row for row, label in enumerate(labels) if not (declared and label == -1)]


def targets_of(
    given: Mapping[PartName, Sequence[Any]], where: Callable[[PartName, int], str], declared: Sequence[str]
) -> tuple[dict[PartName, Targets], tuple[str, ...]]:
    """Return what labels ask for, and the classes; none if the labels are numbers with decimals.

    Raises:
        UserError: a label is none.
    """
    targets: dict[PartName, Targets] = {}
    if any(is_decimal(label) for labels in given.values() for label in labels):
        for part, labels in given.items():
            targets[part] = Numbers(
                torch.tensor([number(label, where(part, index)) for index, label in enumerate(labels)])
            )
        return targets, ()
    for part, labels in given.items():
        if lacking := [index for index, label in enumerate(labels) if label is None or label == ""]:
            raise UserError(f"{where(part, lacking[0])}: has no label; give one, or remove the row")
    numbers, classes = numbered(given, where, declared)
    if not declared and classes == tuple(map(str, range(len(classes)))):
        # Ratings from 1 to 5 are five classes, which are called so.
        used = sorted({number for values in numbers.values() for number in values})
        place = {number: index for index, number in enumerate(used)}
        for part, values in numbers.items():
            numbers[part] = [place[number] for number in values]
        classes = tuple(map(str, used))
    for part, values in numbers.items():
        targets[part] = ClassNumbers(torch.tensor(values))
    return targets, classes


def is_decimal(label: Any) -> bool:
    """Return whether a label is a number that is none of a class: written with a point or an exponent."""
    if isinstance(label, str):
        return NUMBER.fullmatch(label) is not None and WHOLE.fullmatch(label.removeprefix("+")) is None
    return isinstance(label, float)


def number(label: Any, where: str) -> float:
    """Return a label as a number.

    Raises:
        UserError: it is none, though other labels are.
    """
    try:
        found = float(label)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"{where}: has the label {label!r}, but other labels are numbers with decimals; give a number")
    return found
