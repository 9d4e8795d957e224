"""What the parts of a data set are called: the one place where a name is understood as a part."""

import re
from collections.abc import Iterable
from typing import Literal

from robust_tickets.foundation.errors import UserError

PartName = Literal["train", "validation", "test"]

# The words are those of Hugging Face's `datasets`, and MNIST's t10k.
WORDS: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "t10k": "test",
}
"""The names of folders, files and keys that are understood as parts, without regard to case."""

PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def part_of(name: str) -> PartName | None:
    """Return the part whose name this is, as in `train`, `Val` or `TEST`."""
    return WORDS.get(name.strip().lower())


def part_in(text: str) -> PartName | None:
    """Return the part that a longer name speaks of, as in `cifar10_train_1`, `x_test`, `TrainSet` or `val2017`.

    `trainset` and `testdata` are two words without a mark between them.
    """
    if (whole := part_of(text)) is not None:
        return whole
    for chunk in re.split(r"[^A-Za-z0-9]+", text):
        pieces = [piece.lower() for piece in PIECES.findall(chunk)]
        for word in (chunk.lower(), *pieces):
            part = WORDS.get(word) or WORDS.get(re.sub(r"(set|data)$", "", word))
            if part is not None:
                return part
    return None


def part_keys(names: Iterable[str], where: str) -> dict[PartName, str]:
    """Return which of `names` stands for which part; other names are left alone.

    Raises:
        UserError: two names stand for one part.
    """
    return distinct(((name, part_of(name)) for name in names), where)


def folder_parts(names: Iterable[str], where: str) -> dict[PartName, str]:
    """Return which of the folders called `names` stands for which part; other folders are left alone.

    Where every folder speaks of a part and together they speak of several, longer names count too
    (`training_set` beside `test_set`): nobody calls all of the classes so.

    Raises:
        UserError: two folders stand for one part.
    """
    names = list(names)
    spoken: list[tuple[str, PartName | None]] = [(name, part_in(name)) for name in names]
    parts = {part for _, part in spoken}
    return distinct(spoken, where) if None not in parts and len(parts) > 1 else part_keys(names, where)


def distinct(named: Iterable[tuple[str, PartName | None]], where: str) -> dict[PartName, str]:
    """Return the name of each part.

    Raises:
        UserError: two names stand for one part.
    """
    keys: dict[PartName, str] = {}
    for name, part in named:
        if part in keys:
            raise UserError(f"{where}: {keys[part]} and {name} both name the {part} part; keep one")
        if part is not None:
            keys[part] = name
    return keys
