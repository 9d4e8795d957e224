"""What the values of label images mean."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robust_tickets.data.image_files import in_threads, open_image
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.foundation.errors import UserError

VOID = 255
"""The value in label images of a pixel that counts for nothing, as in PASCAL VOC."""

IGNORED = -100
"""The same in label tensors: what torch's losses leave out unless told otherwise."""


def read_label(path: Path) -> Tensor:
    """Return a label image, 8-bit grey or with a palette, as its uint8 values `(H, W)`.

    Raises:
        UserError: the file is unreadable, or is in colour.
    """
    image = open_image(path)
    if image.mode not in ("L", "P", "1"):
        raise UserError(
            f"{path}: has mode {image.mode} and not one class number a pixel; save it as an 8-bit grey or palette PNG"
        )
    return torch.from_numpy(np.array(image, dtype=np.uint8))


@dataclass(frozen=True)
class LabelValues:
    """Which value stands for which class, and which for none.

    Attributes:
        classes: the value of each class, ascending.
        ignore: values that count for nothing, beside 255.
        origin: where the classes come from, for messages.
    """

    classes: tuple[int, ...]
    ignore: tuple[int, ...]
    origin: str

    @property
    def table(self) -> Tensor:
        """Class number or 255 of every value, int64 `(256,)`; -1 for values that mean nothing."""
        table = torch.full((256,), -1)
        table[list(self.classes)] = torch.arange(len(self.classes))
        table[[VOID, *self.ignore]] = VOID
        return table

    def read(self, path: Path) -> Tensor:
        """Return a label image as class numbers, uint8 `(H, W)`, 255 where it counts for nothing.

        Raises:
            UserError: the file is unreadable or in colour, or holds a value that means nothing.
        """
        values = read_label(path)
        numbers = self.table[values.long()]
        if bool((numbers < 0).any()):
            row, column = (numbers < 0).nonzero()[0].tolist()
            raise UserError(
                f"{path}: has the value {int(values[row, column])} at row {row}, column {column}, which is no class "
                f"({self.origin}); correct it, or name it in the data's `ignore`"
            )
        return numbers.to(torch.uint8)


def named_values(classes: tuple[str, ...], ignore: Iterable[int]) -> LabelValues:
    """Return what values mean where the classes have names: each its position."""
    ignore = tuple(ignore)
    kept = tuple(value for value in range(len(classes)) if value not in ignore)
    return LabelValues(kept, ignore, f"named are {len(classes)}, from 0 to {len(classes) - 1}")


def values_present(train: PixelListing, ignore: Iterable[int]) -> LabelValues:
    """Return what values mean where nobody named the classes: those of the training part are the classes.

    Raises:
        UserError: a label image is unreadable, or they hold fewer than two classes.
    """

    def present(index: int) -> Tensor:
        return torch.bincount(read_label(train.label_path(index)).flatten().long(), minlength=256) > 0

    ignore = tuple(ignore)
    seen = torch.stack(in_threads(present, range(len(train.files)))).any(0)
    seen[[VOID, *ignore]] = False
    classes = tuple(seen.nonzero().flatten().tolist())
    if len(classes) < 2:
        raise UserError(
            f"{train.root}: its label images hold {len(classes)} class{'es' * (len(classes) != 1)} beside what is "
            "ignored; at least two are needed"
        )
    return LabelValues(classes, ignore, f"the training part has {', '.join(map(str, classes))}")
