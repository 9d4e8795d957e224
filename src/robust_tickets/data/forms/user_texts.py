"""Texts in data sets that the user hands over: torch's, Hugging Face's in memory, or lists of Python objects."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils.data import IterableDataset, Subset

from robust_tickets.data.examples import Examples
from robust_tickets.data.forms.text_table import ABSENT, TextTable
from robust_tickets.data.images.user import IMAGE_KEYS, sample_stream
from robust_tickets.foundation.errors import UserError


def holds_texts(dataset: Any) -> bool:
    """Return whether the first item of a map-style data set is a text, has one, or is a mapping with one."""
    if isinstance(dataset, Examples | IterableDataset) or not hasattr(dataset, "__getitem__") or not len(dataset):
        return False
    with sample_stream(0, "item", 0):
        item = dataset[0]
    if isinstance(item, Mapping):
        return not any(key in item for key in IMAGE_KEYS) and any(map(is_text, item.values()))
    return is_text(item[0] if isinstance(item, tuple | list) and len(item) == 2 else item)


def is_text(value: Any) -> bool:
    """Return whether a value is a text, or several."""
    return isinstance(value, str) or (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str) for one in value)
    )


def user_table(dataset: Any, name: str) -> TextTable:
    """Return the items of a data set as rows, each loaded once.

    Raises:
        UserError: an item is neither a text, nor a pair of text and label, nor a mapping.
    """
    rows: list[Mapping[str, Any]] = []
    for index in range(len(dataset)):
        with sample_stream(0, "item", index):
            rows.append(row_of(dataset[index], f"{name}, item {index}"))
    names = dict.fromkeys(key for row in rows for key in row)
    columns = {key: [plain(row.get(key, ABSENT)) for row in rows] for key in names}
    return TextTable(columns, lambda index: f"{name}, item {index}", len(rows), declared_classes(dataset))


def row_of(item: Any, where: str) -> Mapping[str, Any]:
    """Return an item by column.

    Raises:
        UserError: it is no item of texts.
    """
    if isinstance(item, Mapping):
        return item
    if isinstance(item, str):
        return {"text": item}
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise UserError(f"{where}: is a {type(item).__name__}, not a pair (text, label) or a mapping")
    text, label = item
    if isinstance(label, list | tuple):
        return {"tokens": list(text), "tags": list(label)}
    if isinstance(text, tuple | list) and len(text) == 2:
        return {"sentence1": text[0], "sentence2": text[1], "label": label}
    return {"text": text, "label": label}


def plain(value: Any) -> Any:
    """Return a value without torch or NumPy around it."""
    return value.tolist() if hasattr(value, "tolist") else value


def declared_classes(dataset: Any) -> dict[str, tuple[str, ...]]:
    """Return the names of classes that a data set declares, by column."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        return {key: names for key, feature in features.items() if (names := names_of(feature))}
    names = getattr(dataset, "classes", None)
    return {"label": tuple(map(str, names))} if isinstance(names, Sequence) and not isinstance(names, str) else {}


def names_of(feature: Any) -> tuple[str, ...]:
    """Return the classes that a column of `datasets` declares, of its values or of those in its lists; else none."""
    return tuple(getattr(getattr(feature, "feature", feature), "names", None) or ())
