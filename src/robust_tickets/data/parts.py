"""What a reader finds before anything is chosen, carved or resized."""

from dataclasses import dataclass
from typing import Literal

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Augmentation, FlipCrop, NoAugmentation
from robust_tickets.data.folder import Listing
from robust_tickets.data.user import UserImages

Source = ImageArrays | Listing | UserImages
PartName = Literal["train", "validation", "test"]

PART_NAMES: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""The names of folders, files and keys that are understood as parts."""


@dataclass(frozen=True)
class Found:
    """The parts of a data set as they were found.

    Attributes:
        parts: `train` always; `validation` and `test` where the set has them.
        classes: class names, in the order of labels.
        name: what the data are called in reports.
        augmentation: what suits the set in training; None: whatever suits its image size.
        notes: what there is to know about the reading, one sentence each.
    """

    parts: dict[PartName, Source]
    classes: tuple[str, ...]
    name: str
    augmentation: Augmentation | None = None
    notes: tuple[str, ...] = ()


def array_augmentation(channels: int) -> Augmentation:
    """Return what suits small images: shifts, and flips unless they are grey, as digits and letters are."""
    return FlipCrop(flip=channels == 3)


NONE = NoAugmentation()
