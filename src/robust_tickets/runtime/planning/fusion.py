"""Layers to execute: operations of a graph with what follows them drawn in."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from robust_tickets.runtime.graph import Graph, Node, Shape, Weight
from robust_tickets.runtime.kernels.epilogue import Activation

_ACTIVATED = {"conv", "linear", "affine", "add", "mul"}
"""Operations whose kernels can end with an activation."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation, or a convolution with its residual and activation."""

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    weights: Mapping[str, Weight]
    activation: Activation = Activation()  # noqa: RUF009 - frozen
    residual: str | None = None
    """A value of the output's shape that is added before the activation."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Return all values that it needs."""
        return (*self.inputs, *([] if self.residual is None else [self.residual]))


@dataclass
class _Fusion:
    graph: Graph
    shapes: Mapping[str, Shape]
    layers: list[Layer | None] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    """Value -> the index of its layer."""

    def layer_of(self, value: str) -> Layer | None:
        """Return the layer that makes a value for one reader alone, else None."""
        index = self.made.get(value)
        return None if index is None or self.uses[value] != 1 else self.layers[index]

    def __post_init__(self) -> None:
        self.uses = Counter(name for node in self.graph.nodes for name in node.inputs)
        self.uses[self.graph.output] += 1

    def add(self, layer: Layer, *drawn_in: str) -> None:
        """Append a layer that replaces those of the values drawn in."""
        for value in drawn_in:
            self.layers[self.made.pop(value)] = None
        self.made[layer.output] = len(self.layers)
        self.layers.append(layer)


def fuse(graph: Graph, shapes: Mapping[str, Shape]) -> list[Layer]:
    """Return the layers of a checked graph, in an order in which they can be executed.

    Drawn into the operation before them: activations, and additions into the last convolution that feeds them.
    A layer's name is its operation's; that of a convolution stays the convolution's.
    """
    fusion = _Fusion(graph, shapes)
    for node in graph.nodes:
        layer = _plain(node, graph)
        if node.op == "activation":
            before = fusion.layer_of(node.inputs[0])
            if before is not None and before.op in _ACTIVATED and before.activation == Activation():
                fused = replace(before, output=node.output, activation=layer.activation)
                fusion.add(fused, node.inputs[0])
                continue
        if node.op == "add" and (drawn := _residual(node, fusion)) is not None:
            value, other = drawn
            before = fusion.layer_of(value)
            assert before is not None
            fusion.add(replace(before, output=node.output, residual=other), value)
            continue
        fusion.add(layer)
    return [layer for layer in fusion.layers if layer is not None]


def _residual(node: Node, fusion: _Fusion) -> tuple[str, str] | None:
    """Return which input of an addition comes of a convolution that can add the other one, and the other one."""
    if len(set(node.inputs)) == 1 or len({fusion.shapes[name] for name in node.inputs}) > 1:
        return None
    candidates = []
    for value, other in (node.inputs, node.inputs[::-1]):
        before = fusion.layer_of(value)
        if before is not None and before.op == "conv" and before.residual is None and not before.activation.kind:
            candidates.append((fusion.made[value], value, other))
    if not candidates or len(fusion.shapes[node.output]) != 3:
        return None
    _, value, other = max(candidates)
    return value, other


def _plain(node: Node, graph: Graph) -> Layer:
    attributes = dict(node.attributes)
    activation = Activation()
    if node.op == "activation":
        kind = attributes.pop("kind")
        activation = Activation(kind, tuple(sorted((name, float(value)) for name, value in attributes.items())))
        attributes = {}
    weights = {role: graph.weights[name] for role, name in node.weights.items()}
    return Layer(node.op, node.name, tuple(node.inputs), node.output, attributes, weights, activation)
