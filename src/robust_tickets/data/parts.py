"""What a reader finds before anything is chosen, carved or resized."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from torch import Tensor

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Augmentation
from robust_tickets.data.listing import Listing
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.user import UserImages
from robust_tickets.foundation.errors import UserError

Source = ImageArrays | Listing | UserImages
PartName = Literal["train", "validation", "test"]

PART_NAMES: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
}
"""The names of folders, files and keys that are understood as parts."""


def part_keys(names: Iterable[str], where: str) -> dict[PartName, str]:
    """Return which of `names` stands for which part; other names are left alone.

    Raises:
        UserError: two names stand for one part.
    """
    keys: dict[PartName, str] = {}
    for name in names:
        part = PART_NAMES.get(name)
        if part in keys:
            raise UserError(f"{where}: {keys[part]} and {name} both name the {part} part; keep one")
        if part is not None:
            keys[part] = name
    return keys


class Divisible(Protocol):
    """Images of which some can be chosen."""

    @property
    def labels(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`."""
        ...

    def subset(self, indices: Tensor) -> Self:
        """Return those at `indices`."""
        ...


@dataclass(frozen=True)
class Found:
    """The parts of a data set as they were found.

    Attributes:
        parts: `train`, and `validation` and `test` where the set has them. A single part of any name is
            taken for an undivided set.
        classes: class names, in the order of labels.
        name: what the data are called in reports.
        augmentation: what suits the set in training; None: whatever suits its images.
    """

    parts: dict[PartName, Source]
    classes: tuple[str, ...]
    name: str
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class PixelsFound:
    """The parts of a data set of images with a label image each.

    Attributes:
        parts: as in `Found`.
        classes: class names, in the order of label values; none where the values in use are the classes.
        name: what the data are called in reports.
    """

    parts: dict[PartName, PixelListing]
    classes: tuple[str, ...]
    name: str
