"""Groups inside single weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.partitions import Norm, PruningUnit, reduce_rows

if TYPE_CHECKING:
    from torch import Tensor


class Extent(Protocol):
    """How far a group reaches; the one thing in which groups inside single weights differ."""

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return how many output channels, input channels and kernel positions a group spans.

        Args:
            shape: of the weight, [out, in, *kernel]; a linear layer has one kernel position.
        """
        ...


class LayerPartition:
    """Divides each weight [out, in, *kernel] into boxes of outputs x inputs x positions; it is a unit."""

    def __init__(self, group: Extent, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None) -> None:
        """Divide all weights.

        Raises:
            UserError: a weight does not divide, or the present masks cut through a group.
        """
        require_division(weights, group.extent)
        self._boxes: dict[str, Box] = {}
        self.units: dict[str, PruningUnit] = {}
        self.remaining: dict[str, Tensor] = {}
        for name, weight in weights.items():
            shape = tuple(weight.shape)
            box = self._boxes[name] = Box(shape, group.extent(wide(shape)))
            remaining = box.groups
            if masks is not None and not bool(masks[name].all()):
                mask = masks[name].to(weight.device)
                still_there = box.rows(mask).any(1)
                if not torch.equal(box.expand(still_there), mask):
                    raise UserError(
                        f"the present masks of {name} cut through the groups now asked for; keep the group "
                        "they were drawn in, or start without masks"
                    )
                self.remaining[name] = still_there
                remaining = int(torch.count_nonzero(still_there))
            self.units[name] = PruningUnit(shape, box.groups, remaining)

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """See `Partition`."""
        return {name: reduce_rows(box.rows(saliencies[name]), norm) for name, box in self._boxes.items()}

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """See `Partition`."""
        for name, still_there in self.remaining.items():
            scores[name].masked_fill_(~still_there, -math.inf)
        return scores

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """See `Partition`."""
        return {name: box.expand(kept[name]) for name, box in self._boxes.items()}


def require_division(weights: Mapping[str, Tensor], extent: Callable[[tuple[int, ...]], tuple[int, int, int]]) -> None:
    """Refuse weights that do not divide into whole groups, all at once.

    Raises:
        UserError: names them, as the setting that leaves them dense.
    """
    shapes = {name: wide(tuple(weight.shape)) for name, weight in weights.items()}
    bad = [
        name for name, shape in shapes.items() if any(a % b for a, b in zip(lengths(shape), extent(shape), strict=True))
    ]
    if bad:
        shape, others = shapes[bad[0]], len(bad) - 1
        out, inputs, _ = extent(shape)
        more = f", nor do {others} other weights" if others > 1 else f", nor does {bad[1]}" if others else ""
        raise UserError(
            f"{bad[0]} {list(shape)} does not divide into {out} outputs x {inputs} inputs{more}; leave dense what does "
            f"not, prunable.exempt: [{', '.join(bad)}], or choose sizes that divide"
        )


def lengths(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return outputs, inputs and kernel positions of a weight."""
    outputs, inputs, *kernel = wide(shape)
    return outputs, inputs, math.prod(kernel)


def wide(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a weight [out, in, *kernel]; of a bias, of a norm's scale, of a single number one with 1s."""
    return shape if len(shape) > 1 else (*(shape or (1,)), 1)


class Box:
    """The division of one weight, seen as [out, in, kernel positions], into equal boxes."""

    def __init__(self, shape: tuple[int, ...], extent: tuple[int, int, int]) -> None:
        """Divide a weight of this shape, which `require_division` has let pass."""
        self._shape = shape
        self._size = math.prod(extent)
        self._counts = tuple(length // step for length, step in zip(lengths(shape), extent, strict=True))
        self._split = [part for pair in zip(self._counts, extent, strict=True) for part in pair]
        self.groups = math.prod(self._counts)

    def rows(self, tensor: Tensor) -> Tensor:
        """Rearrange a tensor of the weight's shape to [groups, size]; a view where memory order allows."""
        return tensor.reshape(self._split).permute(0, 2, 4, 1, 3, 5).reshape(self.groups, self._size)

    def restore(self, rows: Tensor) -> Tensor:
        """Undo `rows`."""
        out, in_, kernel = self._counts
        arranged = rows.reshape(out, in_, kernel, *self._split[1::2])
        return arranged.permute(0, 3, 1, 4, 2, 5).reshape(self._shape)

    def expand(self, values: Tensor) -> Tensor:
        """Give every weight the value of its group: [groups] to the weight's shape."""
        out, in_, kernel = self._counts
        return values.reshape(out, 1, in_, 1, kernel, 1).expand(self._split).reshape(self._shape)
