"""Valid graphs of random operations on sequences: of images in patches, and of texts.

Among them attention of several heads to themselves and to other sequences, shared keys, windows over tokens, tokens
cut out, means and heads.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.graph import TOKENS, Graph, Shape, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid

from .random_graphs import Growth

MOST_ELEMENTS = 2**15
"""Of a value."""

LENGTHS = (2, 3, 5, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100, 127, 128, 129, 144, 197, 255, 256, 257, 300)
"""Around whole vectors, tiles of several, and the keys that attention takes at a time."""

_VOCABULARY = 50


class SequenceGrowth(Growth):
    """A graph of maps of one row, which grows by a layer or two at a time."""

    most = MOST_ELEMENTS
    fixed = False
    """Whether every value has one length only, so that attention may have a bias for each pair of tokens."""

    def __init__(self, seed: int, input_shape: Shape, mask: str = "") -> None:
        """Begin; with a mask every token sees only those that it names, and nothing else crosses tokens."""
        super().__init__(seed, input_shape)
        self.mask = mask

    @property
    def last(self) -> str:
        """The newest value."""
        return list(self.shapes)[-1]

    def grow(self) -> None:
        """Try to add a random layer behind the newest value."""
        last, draw = self.last, self.random
        channels, _, length = self.shapes[last]
        crossing = [] if self.mask else ["window", "window", "cut", "excite"]
        match draw.choice(["attend"] * 4 + ["mix"] * 3 + ["norm", "norm", "activation", "skip", "move"] + crossing):
            case "attend":
                self._attend(last)
            case "mix":
                self.mix(last, draw.choice([channels, channels, draw.randint(1, 30)]))
                if draw.random() < 0.5:
                    self._activation(self.last)
                if draw.random() < 0.5:
                    self.add("add", *draw.sample([last, self.last], 2))
            case "norm":
                self.norm(last)
            case "activation":
                self._activation(last)
            case "skip":
                same = [name for name in self.shapes if self.shapes[name] == self.shapes[last]]
                self.add(draw.choice(["add", "add", "mul"]), last, draw.choice(same))
            case "move":
                start = draw.randrange(channels)
                beside = [name for name in self.shapes if self.shapes[name][1:] == (1, length)]
                if draw.random() < 0.5:
                    self.add("slice", last, start=start, stop=draw.randint(start + 1, channels))
                else:
                    self.add("concat", last, draw.choice(beside))
            case "window":
                self._window(last)
            case "cut":
                start = draw.choice([0, 0, draw.randrange(length)])
                self.add("tokens", last, start=start, stop=draw.randint(start + 1, length))
            case "excite":
                self.add("adaptive_avg_pool", last, output=[1, 1])
                self.add("activation", self.last, kind="sigmoid")
                self.add("mul", *draw.sample([last, self.last], 2))

    def mix(self, value: str, outputs: int, width: int = 1, groups: int = 1) -> str:
        """Add a convolution that keeps the tokens."""
        weights = {"weight": self.weight(outputs, self.shapes[value][0] // groups, 1, width)}
        if self.random.random() < 0.5:
            weights["bias"] = self.weight(outputs)
        window = {"stride": [1, 1], "padding": [0, width // 2, 0, width // 2], "dilation": [1, 1], "groups": groups}
        assert self.add("conv", value, weights=weights, **window)
        return self.last

    def norm(self, value: str) -> None:
        channels = self.shapes[value][0]
        weights = {"scale": self.weight(channels), "shift": self.weight(channels)}
        op, attributes = self.random.choice([("layer_norm", {"epsilon": 1e-3})] * 3 + [("affine", {})])
        self.add(op, value, weights=weights, **attributes)

    def _attend(self, value: str) -> None:
        """Add attention, to the same tokens or to others, with its convolutions or with slices of one."""
        draw = self.random
        key_heads, group = draw.choice([(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (4, 1)])
        heads = key_heads * group
        depth, value_depth = draw.choice([1, 3, 4, 5, 8, 20]), draw.choice([1, 2, 3, 4, 8, 20])
        counts = (heads * depth, key_heads * depth, key_heads * value_depth)
        length = self.shapes[value][2]
        others = [name for name, shape in self.shapes.items() if name != "x" and len(shape) == 3 and shape[1] == 1]
        other = value if self.mask or draw.random() < 0.6 else draw.choice(others)
        longest = max(length, self.shapes[other][2])
        if max(sum(counts), heads * value_depth) * longest > self.most:
            return
        if other == value and draw.random() < 0.5:
            whole = self.mix(value, sum(counts))
            edges = np.cumsum([0, *counts]).tolist()
            parts = []
            for start, stop in pairwise(edges):
                self.add("slice", whole, start=start, stop=stop)
                parts.append(self.last)
        else:
            parts = [self.mix(one, count) for one, count in zip((value, other, other), counts, strict=True)]
        masks = [self.mask] * bool(self.mask)
        if not masks and draw.random() < 0.2:
            masks = [self._mask(other)]
        scale = draw.choice([1.0, 3.0]) / depth**0.5
        pairs = (heads, 1, length, self.shapes[other][2])
        biased = self.fixed and draw.random() < 0.3 and np.prod(pairs) <= self.most
        weights = {"bias": self.weight(*pairs)} if biased else {}
        attributes = {"heads": heads, "key_heads": key_heads, "scale": scale}
        assert self.add("attention", *parts, *masks, weights=weights, **attributes)
        if draw.random() < 0.6 and len(self.shapes[value]) == 3 and self.shapes[self.last][2] == length:
            self.mix(self.last, self.shapes[value][0])
            self.add("add", *draw.sample([value, self.last], 2))

    def _mask(self, value: str) -> str:
        """Add a mask that is made of the tokens, and not of zeros and ones; some key counts."""
        self.mix(value, 1)
        _, _, length = self.shapes[value]
        self.add("activation", self.last, kind="relu")
        positions = f"w{len(self.weights)}"
        self.weights[positions] = Weight((1, length), np.eye(1, length, dtype=np.float32)[0])
        if (
            length < 2
            or self.random.random() < 0.5
            or not self.add("sequence", self.last, weights={"positions": positions})
        ):
            self.add("activation", self.last, kind="sigmoid")
        return self.last

    def _window(self, value: str) -> None:
        """Add what a token and its neighbours make."""
        draw, (channels, _, _) = self.random, self.shapes[value]
        width = draw.choice([2, 3, 5])
        window: dict[str, Any] = {
            "stride": [1, draw.choice([1, 1, 1, 2])],
            "padding": [0, *draw.choice([(width // 2, 0, width // 2), (0, 0, 0), (1, 0, 0)])],
        }
        match draw.choice(["conv", "depthwise", "max_pool", "avg_pool"]):
            case "conv":
                self.mix(value, draw.randint(1, 20), draw.choice([3, 5]))
            case "depthwise":
                self.mix(value, channels, draw.choice([3, 5]), channels)
            case "max_pool":
                self.add("max_pool", value, kernel=[1, width], **window, dilation=[1, 1])
            case "avg_pool":
                self.add("avg_pool", value, kernel=[1, width], **window, count_include_pad=draw.random() < 0.5)

    def end(self) -> None:
        """Add a classifier of one token, of the mean or of every token, or none."""
        draw, last = self.random, self.last
        channels, _, length = self.shapes[last]
        match draw.choice(["token", "token", "every", "none", *([] if self.mask else ["mean"])]):
            case "token":
                # The first two are there however short a text is.
                start = 0 if self.mask else draw.choice([0, draw.randrange(length)])
                self.add("tokens", last, start=start, stop=start + 1)
                self._classify(channels)
            case "mean":
                self.add("adaptive_avg_pool", last, output=[1, 1])
                self._classify(channels)
            case "every":
                self.mix(last, draw.randint(1, 9))

    def _classify(self, channels: int) -> None:
        self.add("reshape", self.last, shape=[channels])
        self.add("linear", self.last, weights={"weight": self.weight(7, channels), "bias": self.weight(7)})


def random_sequence(seed: int) -> Graph:
    """Return a valid graph for images that attends to their patches; the same seed gives the same graph."""
    draw = random.Random(seed)
    length = draw.choice(LENGTHS)
    firsts = draw.choice([0, 0, 1, 1, 2]) if length > 3 else 0
    patches = length - firsts
    height = draw.choice([side for side in range(1, 18) if patches % side == 0])
    embedded = draw.random() < 0.8
    patch = [draw.choice([1, 2, 3]), draw.choice([1, 2, 4])] if embedded else [1, 1]
    size = (draw.choice([1, 3]), height * patch[0], patches // height * patch[1])
    growth = SequenceGrowth(seed, size)
    growth.fixed = True
    channels = draw.randint(1, 24)
    value = "x"
    if embedded:
        weights = {"weight": growth.weight(channels, size[0], *patch), "bias": growth.weight(channels)}
        assert growth.add("conv", value, weights=weights, stride=patch, padding=[0] * 4, dilation=[1, 1], groups=1)
        if draw.random() < 0.3:
            growth._activation(growth.last)
        value = growth.last
    elif draw.random() < 0.5:
        growth.norm(value)
        value = growth.last
    tokens = firsts + int(np.prod(growth.shapes[value][1:]))
    weights = {}
    if firsts:
        weights["first"] = growth.weight(growth.shapes[value][0], firsts)
    if draw.random() < 0.6:
        weights["positions"] = growth.weight(growth.shapes[value][0], tokens + draw.choice([0, 0, 3]))
    assert growth.add("sequence", value, weights=weights)
    return _grown(growth, draw)


def random_text(seed: int, *, padded: bool = True) -> Graph:
    """Return a valid graph for texts of up to one of `LENGTHS` tokens.

    Of one that takes padding its mask hides all of it; of another anything may cross tokens, and the length is fixed.
    """
    draw = random.Random(seed)
    length = draw.choice(LENGTHS)
    rows = ["input_ids", *(row for row in TOKENS[1:] if draw.random() < 0.5 or (padded and row == TOKENS[1]))]
    draw.shuffle(rows)
    growth = SequenceGrowth(seed, (len(rows), 1, length))
    channels = draw.randint(1, 24)
    for row in rows:
        place = rows.index(row)
        if row == "attention_mask":
            growth.add("slice", "x", start=place, stop=place + 1)
            growth.mask = growth.last if padded else ""
    values = []
    for row in [row for row in rows if row != "attention_mask"]:
        table = growth.weight(_VOCABULARY if row == "input_ids" else 2, channels)
        assert growth.add("embed", "x", weights={"table": table}, row=rows.index(row))
        values.append(growth.last)
    for value in values[1:]:
        growth.add("add", value, values[0])
    if draw.random() < 0.8:
        positions = growth.weight(channels, length + draw.choice([0, 5]))
        growth.add("sequence", growth.last, weights={"positions": positions})
    return _grown(growth, draw, tuple(rows) if padded else ())


def _grown(growth: SequenceGrowth, draw: random.Random, tokens: tuple[str, ...] = ()) -> Graph:
    for _ in range(draw.randint(1, 8)):
        if growth.shapes[growth.last][2] == 1:
            break
        growth.grow()
    growth.end()
    graph = replace(growth.graph(), tokens=tokens)
    require_valid(graph)
    return graph


def inputs(graph: Graph, count: int, seed: int = 1) -> NDArray[np.float32]:
    """Return images, or texts without padding, for a graph of these, float32 [count, *input_shape]."""
    numbers = np.random.default_rng(seed)
    given = numbers.random((count, *graph.input_shape)).astype(np.float32)
    for node in graph.nodes:
        if node.op == "embed":
            most = graph.weights[node.weights["table"]].shape[0]
            row = node.attributes["row"]
            given[:, row] = numbers.integers(0, most, given[:, row].shape)
    if "attention_mask" in graph.tokens:
        given[:, graph.tokens.index("attention_mask")] = 1
    return given


def difference(graph: Graph, compute: Callable[[NDArray[np.float32]], NDArray[np.float32]], count: int = 2) -> float:
    """Return the largest error over the spread of the output, against the interpreter in double precision.

    Where terms cancel, an error of ten times that of numpy in float32 is 1e-4; a constant has no spread.
    """
    given = inputs(graph, count)
    expected = interpret(graph, given.astype(np.float64))
    rounding = float(np.abs(interpret(graph, given) - expected).max())
    spread = max(float(expected.std()), 1e5 * rounding, 1e-2 * float(np.abs(expected).max()), 1e-9)
    return float(np.abs(compute(given) - expected).max()) / spread
