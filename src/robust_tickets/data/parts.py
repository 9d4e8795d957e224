"""What a reader finds before anything is chosen, carved or resized."""

from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Augmentation
from robust_tickets.data.listing import Listing
from robust_tickets.data.part_names import PartName
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.user import UserImages

Source = ImageArrays | Listing | UserImages


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
        notes: what a reader has to know of how they were found, one sentence each.
    """

    parts: dict[PartName, Source]
    classes: tuple[str, ...]
    name: str
    augmentation: Augmentation | None = None
    notes: tuple[str, ...] = ()


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
