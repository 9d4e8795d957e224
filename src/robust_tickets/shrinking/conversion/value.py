"""A value of the graph as torch sees it.

The graph holds images as (C, H, W), and sequences as images of one row. Torch may permute them (channels last)
or drop axes of length 1; neither moves a number that an elementwise operation would notice, so both are only noted here
and cancel where they are undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from robust_tickets.runtime.graph import Shape


@dataclass(frozen=True)
class GraphValue:
    """A value of the graph, and how torch has laid it out."""

    name: str
    shape: Shape
    """As the graph holds it: (C, H, W) or (F,)."""
    order: tuple[int, ...]
    """For each of torch's dimensions behind the batch, the axis of `shape`; an axis that is missing has length 1."""

    @staticmethod
    def plain(name: str, shape: Shape) -> "GraphValue":
        """Return a value that torch sees as the graph does."""
        return GraphValue(name, shape, tuple(range(len(shape))))

    @property
    def seen(self) -> Shape:
        """Return torch's shape, without the batch."""
        return tuple(self.shape[axis] for axis in self.order)

    @property
    def is_plain(self) -> bool:
        """Return whether torch sees it as the graph holds it."""
        return self.order == tuple(range(len(self.shape)))

    @property
    def is_pixelless(self) -> bool:
        """Return whether it is one number per channel."""
        return len(self.shape) == 1 or self.shape[1:] == (1, 1)

    def permuted(self, dims: Sequence[int]) -> "GraphValue":
        """Return it with torch's dimensions in another order; `dims` count from 0 behind the batch."""
        return replace(self, order=tuple(self.order[dim] for dim in dims))

    def viewed(self, shape: Shape) -> "GraphValue | None":
        """Return it under another shape of torch's that differs in axes of length 1 alone, or None."""
        if [n for n in shape if n != 1] != [n for n in self.seen if n != 1] or len(shape) > len(self.shape):
            return None
        lengthy = [axis for axis in self.order if self.shape[axis] != 1]
        spare = [axis for axis in range(len(self.shape)) if self.shape[axis] == 1]
        order: list[int] = []
        for place, length in enumerate(shape):
            if length != 1:
                order.append(lengthy.pop(0))
                continue
            fitting = [axis for axis in spare if axis >= place] or spare
            if not fitting:
                return None
            order.append(fitting[0])
            spare.remove(fitting[0])
        return replace(self, order=tuple(order))


@dataclass(frozen=True)
class Grouped:
    """An image whose channels torch sees as groups: on its way through a channel shuffle."""

    value: GraphValue
    groups: int
    swapped: bool = False

    @property
    def seen(self) -> Shape:
        """Return torch's shape, without the batch."""
        channels, *size = self.value.shape
        pair = (self.groups, channels // self.groups)
        return (*(pair[::-1] if self.swapped else pair), *size)


@dataclass(frozen=True)
class Heads:
    """A sequence whose features torch sees as factors: on its way into attention, or out of it."""

    value: GraphValue
    """As (tokens, features)."""
    factors: tuple[int, ...]
    """What the features divide into, the outermost first: three kinds of heads of so many features, for instance."""
    axes: tuple[int | str, ...]
    """For each of torch's dimensions "images", "tokens", or a place in `factors`."""

    @property
    def seen(self) -> Shape:
        """Return torch's shape, without the images."""
        tokens = self.value.shape[2]
        return tuple(tokens if axis == TOKENS else self.factors[int(axis)] for axis in self.axes if axis != IMAGES)

    @property
    def is_merged(self) -> bool:
        """Return whether torch sees the factors side by side behind the tokens, in their order."""
        return self.axes == (IMAGES, TOKENS, *range(len(self.factors)))


IMAGES, TOKENS = "images", "tokens"

SEQUENCE = (2, 0)
"""The order of a sequence as torch mostly sees it: tokens, then features."""


@dataclass(frozen=True, eq=False)
class Told:
    """What a network computes from its tokens or from the number of its inputs, and not from embeddings.

    Ids of tokens, masks, positions, sizes: the graph has operations for few of them. They are computed on an example
    instead, to see what they come to.
    """

    of: frozenset[str]
    """Names of the rows that it depends on; `BATCH` for the number of inputs."""
    value: Any
    """On the example: a tensor or a number."""
    row: str | None = None
    """The row that it is equal to, if it is."""

    def constant(self) -> Tensor | None:
        """Return what is the same for every input, with a first dimension of 1; None if it differs."""
        if not isinstance(self.value, Tensor) or self.value.dim() < 1:
            return None
        first = self.value[:1]
        return first if len(self.value) > 1 and bool((self.value == first).all()) else None


BATCH = "the number of inputs"
