"""One call of the network: what a handler may ask about it, what it may add to the graph, and how it refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import ArrayLike

from robust_tickets.runtime.graph import Shape
from robust_tickets.shrinking.conversion.builder import Builder
from robust_tickets.shrinking.conversion.value import GraphValue


class Inexpressible(Exception):
    """A call that the runtime's operations cannot express: why, and what would be right."""


@dataclass(frozen=True)
class Site:
    """A call of one operator in one layer."""

    builder: Builder
    layer: str
    """Module path, with the operator's name if it is called outside its own module."""
    shape: Shape | None
    """Torch's shape of the result without the batch, or None if it gives several, or one that is not of the images."""

    def image(self, x: GraphValue) -> str:
        """Return the name of a (C, H, W) value that torch sees as the graph does.

        Raises:
            Inexpressible: it is laid out otherwise.
        """
        if len(x.shape) != 3 or not x.is_plain:
            raise Inexpressible(f"reads {list(x.seen)} where the runtime takes images of (channels, height, width)")
        return x.name

    def flat(self, x: GraphValue) -> str:
        """Return the name of x as (F,).

        Raises:
            Inexpressible: it has more than one number a channel.
        """
        if len(x.order) != 1 or (len(x.shape) == 3 and not x.is_pixelless):
            raise Inexpressible(f"reads {list(x.seen)} where the runtime takes (features,)")
        return x.name if len(x.shape) == 1 else self.flattened(x, f"{self.layer}.flatten")

    def flattened(self, x: GraphValue, layer: str) -> str:
        """Return the name of x, row by row, as (F,): of what x was made of if that was (F,), else of a new node."""
        made = self.builder.producers.get(x.name)
        if made is not None and made.op == "reshape" and len(self.builder.shapes[made.inputs[0]]) == 1:
            return made.inputs[0]
        length = prod(x.shape)
        return self.builder.emit("reshape", layer, (x.name,), (length,), attributes={"shape": [length]})

    def wanted(self) -> Shape:
        """Return torch's shape of the result.

        Raises:
            Inexpressible: its first dimension is not that of the images, or another depends on their number.
        """
        if self.shape is None:
            raise Inexpressible("its first dimension is not the number of images, as in windowed attention")
        return self.shape

    def give(
        self, op: str, inputs: Sequence[str], weights: Mapping[str, ArrayLike] | None = None, **attributes: Any
    ) -> GraphValue:
        """Add an operation that gives an image or features as torch sees them."""
        shape = self.wanted()
        return GraphValue.plain(self.builder.emit(op, self.layer, inputs, shape, weights, attributes), shape)
