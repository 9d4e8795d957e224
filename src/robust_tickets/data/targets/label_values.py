"""What the values of label images mean."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from robust_tickets.data.images.image_files import decoded_image
from robust_tickets.foundation.errors import UserError

VOID = 255
"""The value in label images of a pixel that counts for nothing, as in PASCAL VOC."""

IGNORED = -100
"""The same in label tensors: what torch's losses leave out unless told otherwise."""


def decoded_label(content: bytes, where: str) -> Tensor:
    """Return the values, uint8 `(H, W)`, of a label image, 8-bit grey or with a palette.

    Raises:
        UserError: the file is unreadable, or is in colour.
    """
    image = decoded_image(content, where)
    require_numbers(image.mode, where)
    return torch.from_numpy(np.array(image, dtype=np.uint8))


def require_numbers(mode: str, where: str) -> None:
    """Refuse an image whose pixels are colours and no numbers.

    Raises:
        UserError: they are.
    """
    if mode not in ("L", "P", "1"):
        raise UserError(
            f"{where}: has mode {mode}, not one class number per pixel; save it as an 8-bit grey or palette PNG"
        )


@dataclass(frozen=True)
class LabelValues:
    """Which value stands for which class, and which for none.

    Attributes:
        classes: the value of each class, ascending.
        ignore: values that count for nothing, beside 255.
        origin: where the classes come from, for messages.
        named: whether the set names its classes.
    """

    classes: tuple[int, ...]
    ignore: tuple[int, ...]
    origin: str
    named: bool

    @cached_property
    def table(self) -> Tensor:
        """Class number of every value, int64 `(256,)`: -100 where it counts for nothing, -1 where it means nothing."""
        table = torch.full((256,), -1)
        table[list(self.classes)] = torch.arange(len(self.classes))
        table[[VOID, *self.ignore]] = IGNORED
        return table

    def require(self, values: Tensor, where: str) -> None:
        """Refuse a label image, uint8 `(H, W)`, with a value that means nothing.

        Raises:
            UserError: says where the first is.
        """
        strange = self.table[values.long()] == -1
        if bool(strange.any()):
            row, column = strange.nonzero()[0].tolist()
            raise UserError(
                f"{where}: has the value {int(values[row, column])} at row {row}, column {column}, which is "
                f"not a class ({self.origin}); correct it, or name it in the data's `ignore`"
            )


def named_values(classes: tuple[str, ...], ignore: Iterable[int]) -> LabelValues:
    """Return what values mean if the classes have names: each its position."""
    ignore = tuple(ignore)
    kept = tuple(value for value in range(len(classes)) if value not in ignore)
    return LabelValues(kept, ignore, f"{len(classes)} are named, from 0 to {len(classes) - 1}", True)


def values_present(found: Iterable[tuple[int, ...]], ignore: Iterable[int], where: str) -> LabelValues:
    """Return what values mean where nobody named the classes: those found in the training part are the classes.

    Args:
        found: the values in each label image of the training part.
        ignore: values that count for nothing, beside 255.
        where: the part, for messages.

    Raises:
        UserError: they hold fewer than two classes.
    """
    ignore = tuple(ignore)
    classes = tuple(sorted({value for values in found for value in values} - {VOID, *ignore}))
    if len(classes) < 2:
        raise UserError(
            f"{where}: its label images contain {len(classes)} class{'es' * (len(classes) != 1)} besides what is "
            "ignored; at least two are needed"
        )
    return LabelValues(classes, ignore, f"the training part has {', '.join(map(str, classes))}", False)
