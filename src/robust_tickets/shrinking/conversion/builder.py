"""The graph while it is built.

Networks spell one function in several ways: a normalisation as a difference and a quotient, hardswish as
`x * relu6(x + 3) / 6`, a layer behind `pad`. Each operation looks at what its inputs were made of as it arrives, and
takes their place if the two are one; what nothing reads any more is dropped at the end (`folding.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robust_tickets.runtime.graph import Node, Shape

Array = NDArray[Any]
"""Weights are float32 as the network's; scales and shifts are kept in float64 until the end."""

PRODUCTS = {"sigmoid": "silu", "hardsigmoid": "hardswish", "tanh of softplus": "mish"}
"""f -> the activation that is x * f(x)."""

INTERNAL = {"pad", "softplus", "erf", "tanh of softplus"}
"""What stands in the graph only until it is part of something else: operations, and kinds of activation."""

CLOSE = 1e-5
"""Relative difference of constants that are meant to be the same: who writes 1 / 6 writes some of its digits."""


@dataclass
class Builder:
    """Nodes in the order in which the network calls them, and their weights in double precision."""

    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    """Of every value, the input among them."""
    producers: dict[str, Node] = field(default_factory=dict)
    """Of every value but the input: the node that it comes from, of the same name."""
    tokens: tuple[str, ...] = ()
    """What the rows of the input hold, if it is a text's."""

    def emit(
        self,
        op: str,
        layer: str,
        inputs: Sequence[str],
        shape: Shape,
        weights: Mapping[str, ArrayLike] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a node named after its layer, and return the name of its output."""
        name = next(name for name in numbered(layer) if name not in self.shapes)
        given = {role: np.asarray(array) for role, array in (weights or {}).items()}
        self.arrays |= {f"{name}.{role}": array for role, array in given.items()}
        node = Node(op, name, tuple(inputs), name, dict(attributes or {}), {role: f"{name}.{role}" for role in given})
        self.nodes.append(node)
        self.shapes[name], self.producers[name] = tuple(shape), node
        return name

    def weight(self, node: Node, role: str) -> Array:
        """Return a node's weight."""
        return self.arrays[node.weights[role]]

    def affine(self, layer: str, x: str, scale: ArrayLike, shift: ArrayLike) -> str:
        """Add x * scale + shift, each one number or one per channel; with an affine before it, or none, they merge."""
        shape = self.shapes[x]
        scale, shift = (np.broadcast_to(np.asarray(one, np.float64), shape[:1]) for one in (scale, shift))
        if (before := self.producers.get(x)) is not None and before.op == "affine":
            shift = shift + scale * self.weight(before, "shift")
            scale = scale * self.weight(before, "scale")
            x = before.inputs[0]
        # Not as close as a fresh batch norm, whose epsilon makes 0.999995: twenty of them are 1e-4.
        if np.allclose(scale, 1, 2**-24, 0) and np.allclose(shift, 0, 0, 1e-12):
            return x
        return self.emit("affine", layer, (x,), shape, {"scale": scale, "shift": shift})

    def activation(self, layer: str, x: str, kind: str, **parameters: float) -> str:
        """Add an activation; relu6(x + 3) becomes 6 hardsigmoid(x), and a tanh of softplus is remembered as one."""
        source, scale, shift = self.uniform(x)
        if kind == "relu6" and source != x and _same(scale, 1) and _same(shift, 3):
            return self.affine(
                layer,
                self.emit("activation", layer, (source,), self.shapes[x], attributes={"kind": "hardsigmoid"}),
                6,
                0,
            )
        if kind == "tanh" and (inner := self.kind_of(x)) == "softplus":
            return self.emit(
                "activation", layer, self.producers[x].inputs, self.shapes[x], attributes={"kind": f"tanh of {inner}"}
            )
        return self.emit("activation", layer, (x,), self.shapes[x], attributes={"kind": kind, **parameters})

    def add(self, layer: str, left: str, right: str) -> str:
        """Add a sum of two values, of equal shapes or one of them one number per channel."""
        return self.emit("add", layer, self._larger_first(left, right), self._larger(left, right))

    def multiply(self, layer: str, left: str, right: str) -> str:
        """Add a product of two values; x * f(x) becomes the activation that it is."""
        for x, f in ((left, right), (right, left)):
            (source, ahead, offset), (inner, factor, shift) = self.uniform(x), self.uniform(f)
            kind = self.kind_of(inner)
            if kind is None or offset != 0:
                continue
            argument = self.producers[inner].inputs[0]
            if kind in PRODUCTS and argument == source and shift == 0:
                found = self.emit(
                    "activation", layer, (source,), self.shapes[source], attributes={"kind": PRODUCTS[kind]}
                )
                return self.affine(layer, found, ahead * factor, 0)
            root, inside, none = self.uniform(argument)
            if kind == "erf" and root == source and _same(inside, sqrt(0.5)) and none == 0 and _same(factor, shift):
                found = self.emit("activation", layer, (source,), self.shapes[source], attributes={"kind": "gelu"})
                return self.affine(layer, found, 2 * ahead * factor, 0)
        return self.emit("mul", layer, self._larger_first(left, right), self._larger(left, right))

    def sequence(self, layer: str, x: str, first: Array | None = None, positions: Array | None = None) -> str:
        """Add tokens [C, P] before the pixels of x and [C, tokens] to all; with a sequence before it they merge.

        Raises:
            ValueError: `positions` does not fit.
        """
        channels = self.shapes[x][0]
        parts = [np.zeros((channels, 0)) if first is None else first]
        length = parts[0].shape[1] + prod(self.shapes[x][1:])
        shift = np.zeros((channels, length)) if positions is None else positions
        if shift.shape != (channels, length):
            raise ValueError(f"positions {shift.shape} for {channels} channels of {length} tokens")
        if (before := self.producers.get(x)) is not None and before.op == "sequence":
            if "positions" in before.weights:
                shift = np.array(shift)
                shift[:, parts[0].shape[1] :] += self.weight(before, "positions")
            if "first" in before.weights:
                parts.append(self.weight(before, "first"))
            x = before.inputs[0]
        together = np.concatenate(parts, axis=1)
        weights = {"first": together} if together.size else {}
        if shift.any():
            weights["positions"] = shift
        return self.emit("sequence", layer, (x,), (channels, 1, length), weights)

    @property
    def source(self) -> str:
        """Return the name of the graph's input: no value was there before it."""
        return next(iter(self.shapes))

    def row(self, name: str) -> str:
        """Return the value of one row of a text's input, (1, 1, tokens)."""
        if name not in self.producers:
            place, shape = self.tokens.index(name), self.shapes[self.source]
            self.emit("slice", name, (self.source,), (1, *shape[1:]), None, {"start": place, "stop": place + 1})
        return name

    def unpadded(self, x: str, padding: Sequence[int], value: float) -> tuple[str, list[int]]:
        """Return what was padded with `value` before, if anything, and the padding of both together.

        Args:
            x: the value that comes in.
            padding: top, left, bottom, right, of the operation itself.
            value: what the operation itself pads with.
        """
        before = self.producers.get(x)
        if before is None or before.op != "pad" or before.attributes["value"] != value:
            return x, list(padding)
        together = [own + earlier for own, earlier in zip(padding, before.attributes["padding"], strict=True)]
        return before.inputs[0], together

    def uniform(self, x: str) -> tuple[str, float, float]:
        """Return y, scale and shift, one number each, of which x is made as y * scale + shift; x, 1, 0 if it is not."""
        node = self.producers.get(x)
        if node is not None and node.op == "affine":
            scale, shift = self.weight(node, "scale"), self.weight(node, "shift")
            if np.ptp(scale) == 0 and np.ptp(shift) == 0:
                return node.inputs[0], float(scale[0]), float(shift[0])
        return x, 1.0, 0.0

    def kind_of(self, x: str) -> str | None:
        """Return the kind of the activation that x comes from, or None."""
        node = self.producers.get(x)
        return node.attributes["kind"] if node is not None and node.op == "activation" else None

    def _larger(self, left: str, right: str) -> Shape:
        return max(self.shapes[left], self.shapes[right])

    def _larger_first(self, left: str, right: str) -> tuple[str, str]:
        return (left, right) if self.shapes[left] >= self.shapes[right] else (right, left)


def numbered(layer: str) -> Iterator[str]:
    """Yield layer, layer_2, layer_3, ..."""
    yield layer
    yield from (f"{layer}_{number}" for number in count(2))


def _same(left: float, right: float) -> bool:
    return abs(left - right) <= CLOSE * abs(right)
