"""Valid graphs of random operations: odd sizes, uneven padding, skips, groups, sparse and dense weights.

Among them residuals in any order, sums of two convolutions, layers that share weights, and dense blocks, in which
every layer reads all before it.
"""

import random
from typing import Any

import numpy as np

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Shape, Weight
from robust_tickets.runtime.rules.operations import ACTIVATIONS, OPERATIONS, require_valid

MOST_ELEMENTS = 2**13
"""Of a value; larger ones are not grown further."""


class Growth:
    """A graph that grows by one valid node at a time."""

    most = MOST_ELEMENTS

    def __init__(self, seed: int, input_shape: Shape) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.input_shape = input_shape
        self.shapes: dict[str, Shape] = {"x": input_shape}
        self.nodes: list[Node] = []
        self.weights: dict[str, Weight] = {}

    def weight(self, *shape: int) -> str:
        """Add a weight of random density, scaled so that values neither grow nor vanish."""
        density = self.random.choice([0.0, 0.02, 0.1, 0.3, 1.0]) if len(shape) > 1 else 1.0
        fan_in = max(1.0, density * np.prod(shape[1:])) if len(shape) > 1 else 1.0
        values = (self.numbers.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32).ravel()
        values *= self.numbers.random(values.size) < density
        name = f"w{len(self.weights)}"
        positions = np.flatnonzero(values)
        sparse = density < 1 and self.random.random() < 0.8
        self.weights[name] = Weight(shape, values[positions], positions) if sparse else Weight(shape, values)
        return name

    def add(self, op: str, *inputs: str, weights: dict[str, str] | None = None, **attributes: Any) -> bool:
        """Add a node, if it is valid there."""
        output = f"v{len(self.nodes)}"
        node = Node(op, f"{op}{len(self.nodes)}", inputs, output, attributes, weights or {})
        try:
            self.shapes[output] = self._shape(node)
        except RuntimeFileError:
            return False
        self.nodes.append(node)
        return True

    def grow(self) -> None:
        """Try to add one random node behind the newest value."""
        last, draw = list(self.shapes)[-1], self.random
        shape = self.shapes[last]
        if len(shape) == 1:
            self._grow_features(last, shape[0])
            return
        channels, height, width = shape
        kernel = [draw.randint(1, 5), draw.randint(1, 5)] if draw.random() < 0.3 else [draw.choice([1, 1, 3, 3, 7])] * 2
        window: dict[str, Any] = {
            "stride": draw.choice([[1, 1], [1, 1], [2, 2], [3, 1], [1, 4], [8, 8]]),
            "padding": [side // 2 for side in kernel] * 2
            if draw.random() < 0.7
            else [draw.randint(0, draw.choice([3, 12])) for _ in "tlbr"],
        }
        dilation = draw.choice([[1, 1], [1, 1], [1, 1], [2, 2], [1, 3], [9, 5]])
        others = [name for name in self.shapes if self.shapes[name] in (shape, (channels, 1, 1)) and name != last]
        match draw.choice(
            ["conv"] * 5
            + ["activation"] * 3
            + ["skip"] * 3
            + ["pool", "move", "norm", "squeeze", "end", "sums", "dense"]
        ):
            case "conv":
                groups = draw.choice([g for g in (1, 1, 1, 2, channels) if channels % g == 0])
                outputs = groups * draw.randint(1, max(1, 40 // groups))
                weights = {"weight": self.weight(outputs, channels // groups, *kernel)}
                if draw.random() < 0.5:
                    weights["bias"] = self.weight(outputs)
                self.add("conv", last, weights=weights, **window, dilation=dilation, groups=groups)
            case "activation":
                self._activation(last)
            case "skip":
                inputs = [last, draw.choice(others or [last])]
                draw.shuffle(inputs)
                self.add(draw.choice(["add", "add", "mul"]), *inputs)
            case "pool" if draw.random() < 0.5:
                self.add("max_pool", last, kernel=kernel, **window, dilation=dilation)
            case "pool":
                self.add("avg_pool", last, kernel=kernel, **window, count_include_pad=draw.random() < 0.5)
            case "move":
                start = draw.randrange(channels)
                same = [name for name in self.shapes if self.shapes[name][1:] == shape[1:]]
                moves = [
                    ("slice", (last,), {"start": start, "stop": draw.randint(start + 1, channels)}),
                    ("shuffle", (last,), {"groups": draw.choice([g for g in range(1, 5) if channels % g == 0])}),
                    ("concat", [last, *draw.choices(same, k=draw.randint(0, 2))], {}),
                ]
                op, inputs, attributes = draw.choice(moves)
                self.add(op, *inputs, **attributes)
            case "norm":
                weights = {"scale": self.weight(channels), "shift": self.weight(channels)}
                attributes = draw.choice([("affine", {}), ("layer_norm", {"epsilon": 1e-3})])
                self.add(attributes[0], last, weights=weights, **attributes[1])
            case "squeeze":
                self.add("adaptive_avg_pool", last, output=draw.choice([[1, 1], [1, 1], [2, 3], [7, 7]]))
            case "sums":
                self._sums(last)
            case "dense":
                self._dense_block(last)
            case "end" if draw.random() < 0.3:
                self.add("reshape", last, shape=[channels * height * width])

    def _same(self, value: str, channels: int, weight: str = "") -> str:
        """Add a convolution that keeps the size, and return its output."""
        inner = self.shapes[value][0]
        side = self.random.choice([1, 3, 3])
        weight = weight or self.weight(channels, inner, side, side)
        border = self.weights[weight].shape[2] // 2
        padding, ones = [border] * 4, [1, 1]
        added = self.add(
            "conv", value, weights={"weight": weight}, stride=ones, padding=padding, dilation=ones, groups=1
        )
        return list(self.shapes)[-1] if added else value

    def _sums(self, last: str) -> None:
        """Add some convolutions of one size, perhaps of the same weights, and add them up in any order."""
        draw, channels = self.random, self.shapes[last][0]
        shared = self.weight(channels, channels, *draw.choice([(1, 1), (3, 3)])) if draw.random() < 0.5 else ""
        values = [last]
        for _ in range(draw.randint(1, 3)):
            values.append(self._same(draw.choice(values), channels, shared))
            if draw.random() < 0.3:
                self._activation(values[-1])
                values.append(list(self.shapes)[-1])
        draw.shuffle(values)
        total = values[0]
        for value in values[1:]:
            inputs = [total, value]
            draw.shuffle(inputs)
            self.add("add", *inputs)
            total = list(self.shapes)[-1]

    def _dense_block(self, last: str) -> None:
        """Add layers that each read all before them, or a slice of it."""
        draw, values = self.random, [last]
        for _ in range(draw.randint(1, 3)):
            if self.add("concat", *values) and draw.random() < 0.3:
                both = list(self.shapes)[-1]
                start = draw.randrange(self.shapes[both][0])
                self.add("slice", both, start=start, stop=draw.randint(start + 1, self.shapes[both][0]))
            values.append(self._same(list(self.shapes)[-1], draw.randint(1, 6)))
            if draw.random() < 0.4:
                self._activation(values[-1])
                values[-1] = list(self.shapes)[-1]
        self.add("concat", *values)

    def graph(self) -> Graph:
        """Return the network, without the nodes and weights that nothing uses."""
        output = list(self.shapes)[-1]
        nodes, needed = [], {output}
        for node in reversed(self.nodes):
            if node.output in needed:
                nodes.insert(0, node)
                needed |= set(node.inputs)
        used = {name for node in nodes for name in node.weights.values()}
        weights = {name: weight for name, weight in self.weights.items() if name in used}
        return Graph("x", self.input_shape, tuple(nodes), output, weights)

    def _activation(self, last: str) -> None:
        kind = self.random.choice(["relu"] * 8 + list(ACTIVATIONS))
        given: dict[str, Any] = {"min": -0.5, "max": 1.5, "slope": 0.1, "alpha": 0.7}
        self.add("activation", last, kind=kind, **{name: given[name] for name in ACTIVATIONS[kind]})

    def _grow_features(self, last: str, features: int) -> None:
        match self.random.choice(["linear", "activation", "image", "add"]):
            case "linear":
                outputs = self.random.randint(1, 40)
                weights = {"weight": self.weight(outputs, features), "bias": self.weight(outputs)}
                self.add("linear", last, weights=weights)
            case "activation":
                self._activation(last)
            case "image":
                self.add("reshape", last, shape=[features, 1, 1])
            case "add":
                self.add("add", last, last)

    def _shape(self, node: Node) -> Shape:
        shapes = [self.shapes[name] for name in node.inputs]
        weights = {role: self.weights[name].shape for role, name in node.weights.items()}
        shape = OPERATIONS[node.op].shape(shapes, node.attributes, weights)
        if np.prod(shape) > self.most:
            raise RuntimeFileError("larger than a test needs")
        return shape


def random_graph(seed: int) -> Graph:
    """Return a valid graph of 1 to about 20 nodes; the same seed gives the same graph."""
    draw = random.Random(seed)
    growth = Growth(seed, (draw.randint(1, 20), draw.randint(1, 19), draw.randint(1, 19)))
    wanted = draw.randint(1, 20)
    while not growth.nodes:
        for _ in range(wanted):
            growth.grow()
    graph = growth.graph()
    require_valid(graph)
    return graph
