"""Data sets and loaders that the user hands over, and what can be learnt about them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset

from robust_tickets.data.examples import Examples, Found, Listing
from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.one_picture import is_one, of_user
from robust_tickets.data.forms.text_readings import read_text_tables
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.forms.user_texts import holds_texts, user_table
from robust_tickets.data.images.arrays import int64_labels, labelled, uint8_images
from robust_tickets.data.images.user import UserImages, sample_stream, split_item, to_image
from robust_tickets.data.names import PartName, part_keys, part_of
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.foundation.errors import UserError

LABEL_LISTS = ("targets", "labels", "_labels", "y")
PAIR_LISTS = ("samples", "_samples")


def stored_labels(dataset: Any) -> list[int] | None:
    """Return the labels a data set stores beside its images, or None if only its items tell them."""
    if isinstance(dataset, Subset):
        inner = stored_labels(dataset.dataset)
        return None if inner is None else [inner[index] for index in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [stored_labels(part) for part in dataset.datasets]
        return None if None in parts else [label for part in parts for label in part or ()]
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1].reshape(-1).tolist()
    if getattr(dataset, "target_transform", None) is not None:
        return None
    stored = next((getattr(dataset, name) for name in LABEL_LISTS if hasattr(dataset, name)), None)
    if stored is None:
        pairs = next((getattr(dataset, name) for name in PAIR_LISTS if hasattr(dataset, name)), ())
        stored = [pair[1] for pair in pairs]
    if len(stored) != len(dataset):
        return None
    stored = stored.tolist() if isinstance(stored, Tensor | np.ndarray) else list(stored)
    return [int(label) for label in stored] if all(isinstance(n, int | np.integer) for n in stored) else None


def unloaded(data: Any) -> Any:
    """Return the data set behind a loader: order, batches and collation are this library's."""
    return data.dataset if isinstance(data, DataLoader) else data


def user_examples(dataset: Any, name: str) -> Listing:
    """Return a user's data set as examples; an in-memory set of uint8 images becomes arrays.

    Where a data set does not store its labels, each of its items is loaded once to learn them.

    Raises:
        UserError: the data set is empty or not map-style, or its first item is no (image, label).
    """
    if isinstance(dataset, Examples):
        return dataset.listing
    map_style = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    if isinstance(dataset, IterableDataset) or not map_style:
        raise UserError(
            f"{name}: a {type(dataset).__name__} is not a map-style data set; splits and exact resume need one "
            "with __len__ and __getitem__"
        )
    if len(dataset) == 0:
        raise UserError(f"{name}: the data set is empty")
    if isinstance(dataset, TensorDataset):
        if len(dataset.tensors) != 2:
            raise UserError(f"{name}: contains {len(dataset.tensors)} tensors; give TensorDataset(images, labels)")
        images, labels = (tensor.detach().cpu() for tensor in dataset.tensors)
        numbers = int64_labels(labels.numpy(), len(images), f"{name}, labels")
        if images.dtype == torch.uint8:
            return labelled(uint8_images(images.numpy(), name), numbers)

    def item(index: int) -> tuple[Any, int]:
        with sample_stream(0, "item", index):
            return split_item(dataset[index], f"{name}, item {index}")

    image, label = item(0)
    to_image(image, f"{name}, item 0")
    labels = stored_labels(dataset)
    if labels is None or labels[0] != label:
        labels = [item(index)[1] for index in range(len(dataset))]
    if wrong := [index for index, label in enumerate(labels) if label < 0]:
        raise UserError(f"{name}, item {wrong[0]}: has the label {labels[wrong[0]]}; give a class number, 0 or more")
    numbers = torch.tensor(labels)
    return Listing.whole(UserImages(dataset, numbers, name), ClassNumbers(numbers))


def class_labels(dataset: Any, labels: Tensor) -> tuple[str, ...]:
    """Return a data set's class names, or the class numbers where it has none."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    count, names = int(labels.max()) + 1, getattr(dataset, "classes", None)
    if isinstance(names, Sequence) and len(names) >= count:
        return tuple(name if isinstance(name, str) else "/".join(map(str, name)) for name in names)
    return tuple(map(str, range(count)))


def read_user_sets(data: Any) -> Found:
    """Return the parts of a data set, of a tuple (train, test) or (train, validation, test), or of a mapping.

    Raises:
        UserError: the tuple has another length, or a key names no part.
    """
    given: dict[PartName, Any]
    if isinstance(data, Mapping):
        given = {part: data[key] for part, key in part_keys(data, "data").items()}
        if unknown := [key for key in data if part_of(key) is None]:
            raise UserError(f"data: {unknown[0]!r} is not a part; the parts are train, validation and test")
    elif isinstance(data, tuple):
        names: dict[int, tuple[PartName, ...]] = {2: ("train", "test"), 3: ("train", "validation", "test")}
        if len(data) not in names:
            raise UserError(f"data: has {len(data)} parts; give (train, test) or (train, validation, test)")
        given = dict(zip(names[len(data)], data, strict=True))
    else:
        given = {"train": data}
    if len(given) == 1 and is_one(alone := next(iter(given.values()))):
        return of_user(alone)
    if not given:
        raise UserError("data: contains no parts; give train, validation and test")
    first: PartName = "train" if "train" in given else next(iter(given))
    dataset = unloaded(given[first])
    name = type(dataset).__name__
    if holds_texts(dataset):
        tables: dict[PartName, TextTable] = {}
        for part, one in given.items():
            tables[part] = user_table(unloaded(one), f"{type(unloaded(one)).__name__} ({part})")
        return read_text_tables(tables, Columns(), name, name)
    parts: dict[PartName, Listing] = {}
    for part, one in given.items():
        parts[part] = user_examples(unloaded(one), f"{type(unloaded(one)).__name__} ({part})")
    return Found(parts, class_labels(dataset, parts[first].labels), name)
