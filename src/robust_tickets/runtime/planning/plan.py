"""From layers to commands: which value lies where, in which layout, and what is moved in between."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.graph import Graph, Shape, Weight
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.layout import best_layout
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.buffers import Buffer, MapView, PlainView, View
from robust_tickets.runtime.planning.chains import Chain, chains
from robust_tickets.runtime.planning.fusion import Layer, fuse
from robust_tickets.runtime.planning.placement import Placement, window_of
from robust_tickets.runtime.rules.shapes import adaptive_bounds, average_divisors


@dataclass(frozen=True, eq=False)
class ExecutionPlan:
    """Commands in order, and where the network's input and output lie."""

    chains: tuple[Chain, ...]
    buffers: tuple[Buffer, ...]
    input: PlainView
    output: PlainView

    @property
    def commands(self) -> tuple[c.Command, ...]:
        """Return all commands."""
        return tuple(command for chain in self.chains for command in chain.commands)


def make_plan(graph: Graph, shapes: Mapping[str, Shape], threads: int = 1, vector_bits: int = 512) -> ExecutionPlan:
    """Return how to execute a checked graph, image by image.

    Args:
        graph: as `operations.require_valid` accepts it.
        shapes: of all values, as `operations.require_valid` returns them.
        threads: how many may work.
        vector_bits: width of the processor's registers.
    """
    layers = fuse(graph, shapes)
    placement = Placement(shapes, graph.input, vector_bits)
    placement.decide(layers)
    planner = _Planner(placement)
    for layer in layers:
        planner.emit(layer)
    output = placement.plain(graph.output, "output")
    source = placement.views[graph.input]
    assert isinstance(source, PlainView)
    for buffer in (source.buffer, output.buffer):
        # They are filled and read from outside.
        buffer.born, buffer.dies = 0, len(placement.commands)
    together = chains(placement.commands, threads)
    used = {view.buffer: None for chain in together for command in chain.commands for view in command.views}
    return ExecutionPlan(together, tuple({source.buffer: None, output.buffer: None, **used}), source, output)


@dataclass(frozen=True)
class _Planner:
    """One method an operation: what commands it takes."""

    at: Placement

    def emit(self, layer: Layer) -> None:
        """Append the commands of a layer."""
        getattr(self, f"_{layer.op}")(layer)

    def _conv(self, layer: Layer) -> None:
        weight, bias = layer.weights["weight"], _vector(layer.weights.get("bias"), layer.weights["weight"].shape[0])
        if self.at.is_map(layer.output):
            need, window = self.at.need(layer), window_of(layer)
            source = self.at.map(layer.inputs[0], layer.name, need)
            if need.every != (1, 1):
                window = replace(window, stride=(1, 1))
            residual = None if layer.residual is None else self.at.map(layer.residual, layer.name)
            target = self.at.target(layer.output)
            assert isinstance(target, MapView)
            if kernel := self.at.depthwise(layer):
                weights = weight.dense().reshape(-1, *kernel.kernel)
                self.at.do(c.Depthwise(layer.name, source, target, kernel, weights, bias))
                return
            self.at.do(
                c.Convolve(
                    layer.name,
                    source,
                    target,
                    window,
                    layer.attributes["groups"],
                    weight,
                    bias,
                    residual,
                    layer.activation,
                )
            )
            return
        # One window: a matrix times all that it covers.
        source = self.at.plain(layer.inputs[0], layer.name)
        matrix = _as_matrix(weight, self.at.shapes[layer.inputs[0]], window_of(layer), layer.attributes["groups"])
        target = self.at.target(layer.output)
        assert isinstance(target, PlainView)
        if layer.residual is None:
            self.at.do(c.Linear(layer.name, source, target, matrix, bias, layer.activation))
            return
        self.at.do(c.Linear(layer.name, source, target, matrix, bias, Activation()))
        other = self.at.plain(layer.residual, layer.name)
        self.at.do(c.Pointwise(layer.name, target, target, "add", other, None, None, layer.activation))

    def _linear(self, layer: Layer) -> None:
        weight = layer.weights["weight"]
        source, target = self.at.plain(layer.inputs[0], layer.name), self.at.target(layer.output)
        assert isinstance(target, PlainView)
        bias = _vector(layer.weights.get("bias"), weight.shape[0])
        self.at.do(c.Linear(layer.name, source, target, weight, bias, layer.activation))

    def _max_pool(self, layer: Layer) -> None:
        self._pool(layer, "max")

    def _avg_pool(self, layer: Layer) -> None:
        self._pool(layer, "avg")

    def _pool(self, layer: Layer, kind: str) -> None:
        shape, window = self.at.shapes[layer.inputs[0]], window_of(layer)
        divisors = average_divisors(shape, layer.attributes) if kind == "avg" else None
        if self.at.is_map(layer.output):
            source, target = self.at.map(layer.inputs[0], layer.name, self.at.need(layer)), self.at.target(layer.output)
            assert isinstance(target, MapView)
            self.at.do(c.Pool(layer.name, source, target, kind, window, divisors))
            return
        target = self.at.target(layer.output)
        assert isinstance(target, PlainView)
        if divisors is not None:
            source = self.at.map(layer.inputs[0], layer.name)
            self.at.do(c.Average(layer.name, source, target, _window_weights(shape, window, divisors)))
            return
        layout = best_layout(*self.at.shapes[layer.output])
        pixel = MapView(self.at.buffer(layout.size), layout, 0, layout.channels)
        self.at.do(
            c.Pool(layer.name, self.at.map(layer.inputs[0], layer.name, self.at.need(layer)), pixel, kind, window)
        )
        self.at.do(c.Scatter(layer.name, pixel, target))

    def _adaptive_avg_pool(self, layer: Layer) -> None:
        _, height, width = self.at.shapes[layer.inputs[0]]
        weights = _adaptive_weights((height, width), tuple(layer.attributes["output"]))
        source, target = self.at.map(layer.inputs[0], layer.name), self.at.target(layer.output)
        assert isinstance(target, PlainView)
        self.at.do(c.Average(layer.name, source, target, weights))

    def _reshape(self, layer: Layer) -> None:
        source = self.at.plain(layer.inputs[0], layer.name)
        self.at.views[layer.output] = PlainView(source.buffer, self.at.shapes[layer.output])

    def _same(self, layer: Layer, value: str) -> View:
        """Return an input in the representation of the output."""
        return self.at.map(value, layer.name) if self.at.is_map(layer.output) else self.at.plain(value, layer.name)

    def _activation(self, layer: Layer) -> None:
        source, target = self._same(layer, layer.inputs[0]), self.at.target(layer.output)
        self.at.do(c.Pointwise(layer.name, source, target, "affine", None, None, None, layer.activation))

    def _affine(self, layer: Layer) -> None:
        scale, shift = layer.weights["scale"].dense(), layer.weights["shift"].dense()
        if not self.at.is_map(layer.output) and not layer.activation.kind and len(self.at.shapes[layer.output]) == 3:
            # Such as the normalisation of images: done on the way into blocks.
            self.at.scaled[layer.output] = (layer.inputs[0], scale, shift)
            return
        source, target = self._same(layer, layer.inputs[0]), self.at.target(layer.output)
        self.at.do(c.Pointwise(layer.name, source, target, "affine", None, scale, shift, layer.activation))

    def _add(self, layer: Layer) -> None:
        self._binary(layer, "add")

    def _mul(self, layer: Layer) -> None:
        self._binary(layer, "mul")

    def _binary(self, layer: Layer, kind: str) -> None:
        left, right = layer.inputs
        shape = self.at.shapes[layer.output]
        if self.at.shapes[left] != shape:
            left, right = right, left
        target = self.at.target(layer.output)
        if self.at.shapes[right] == shape:
            source, other = self._same(layer, left), self._same(layer, right)
            self.at.do(c.Pointwise(layer.name, source, target, kind, other, None, None, layer.activation))
            return
        source, numbers = self._same(layer, left), self.at.plain(right, layer.name)
        broadcast = "scale" if kind == "mul" else "shift"
        self.at.do(c.Pointwise(layer.name, source, target, broadcast, numbers, None, None, layer.activation))

    def _concat(self, layer: Layer) -> None:
        target = self.at.target(layer.output)
        first = 0
        for value in layer.inputs:
            count = self.at.shapes[value][0]
            view = self._same(layer, value)
            if isinstance(target, MapView):
                part: View = MapView(target.buffer, target.layout, target.first + first, count)
                there = (
                    isinstance(view, MapView)
                    and view.buffer is target.buffer
                    and isinstance(part, MapView)
                    and view.first == part.first
                )
                if not there:
                    self.at.do(c.CopyChannels(layer.name, view, part, np.arange(count)))
            else:
                assert isinstance(view, PlainView)
                self.at.do(c.CopyChannels(layer.name, view, target, np.arange(count), first))
            first += count

    def _slice(self, layer: Layer) -> None:
        start, stop = layer.attributes["start"], layer.attributes["stop"]
        view = self._same(layer, layer.inputs[0])
        if isinstance(view, MapView):
            self.at.views[layer.output] = MapView(view.buffer, view.layout, view.first + start, stop - start)
            return
        self.at.do(c.CopyChannels(layer.name, view, self.at.target(layer.output), np.arange(start, stop)))

    def _shuffle(self, layer: Layer) -> None:
        channels, groups = self.at.shapes[layer.output][0], layer.attributes["groups"]
        # Channel c goes to c % (C / groups) * groups + c // (C / groups): which comes to each place?
        source = np.arange(channels).reshape(groups, channels // groups).T.reshape(-1)
        view = self._same(layer, layer.inputs[0])
        self.at.do(c.CopyChannels(layer.name, view, self.at.target(layer.output), source))

    def _layer_norm(self, layer: Layer) -> None:
        scale, shift = layer.weights["scale"].dense(), layer.weights["shift"].dense()
        source, target = self._same(layer, layer.inputs[0]), self.at.target(layer.output)
        self.at.do(c.LayerNorm(layer.name, source, target, scale, shift, layer.attributes["epsilon"]))

    def _sequence(self, layer: Layer) -> None:
        target = self._map_target(layer)
        channels, _, tokens = self.at.shapes[layer.output]
        added = np.zeros((channels, tokens), np.float32)
        first = 0
        if "first" in layer.weights:
            before = layer.weights["first"].dense()
            first = before.shape[1]
            added[:, :first] = before
        if "positions" in layer.weights:
            added += layer.weights["positions"].dense()[:, :tokens]
        value = layer.inputs[0]
        source = self.at.map(value, layer.name) if self.at.is_map(value) else self.at.plain(value, layer.name)
        self.at.do(c.Sequence(layer.name, source, target, first, added))

    def _tokens(self, layer: Layer) -> None:
        value, first = layer.inputs[0], layer.attributes["start"]
        if self.at.shapes[value] == self.at.shapes[layer.output] and not self.at.is_map(value):
            # All of them, such as the only one.
            self.at.views[layer.output] = self.at.plain(value, layer.name)
            return
        source, target = self.at.map(value, layer.name), self.at.target(layer.output)
        if isinstance(target, MapView):
            self.at.do(c.Gather(layer.name, source, target, first=first))
        else:
            self.at.do(c.Scatter(layer.name, source, target, first))

    def _embed(self, layer: Layer) -> None:
        numbers, row = self.at.map(layer.inputs[0], layer.name), layer.attributes["row"]
        source = MapView(numbers.buffer, numbers.layout, numbers.first + row, 1)
        self.at.do(c.Embed(layer.name, source, self._map_target(layer), layer.weights["table"].dense()))

    def _attention(self, layer: Layer) -> None:
        query, key, value = (self.at.map(one, layer.name) for one in layer.inputs[:3])
        # Nobody attends to lanes that are no keys.
        mask = self.at.zeroed(layer.inputs[3], layer.name) if len(layer.inputs) > 3 else None
        target = self.at.target(layer.output)
        heads, key_heads, scale = (layer.attributes[name] for name in ("heads", "key_heads", "scale"))
        bias = layer.weights["bias"].dense()[:, 0] if "bias" in layer.weights else None
        if isinstance(target, MapView):
            self.at.do(c.Attention(layer.name, query, target, key, value, mask, heads, key_heads, scale, bias))
            return
        # One query: by way of a vector that holds it in a lane.
        layout = best_layout(*self.at.shapes[layer.output])
        lane = MapView(self.at.buffer(layout.size), layout, 0, layout.channels)
        self.at.do(c.Attention(layer.name, query, lane, key, value, mask, heads, key_heads, scale, bias))
        self.at.do(c.Scatter(layer.name, lane, target))

    def _map_target(self, layer: Layer) -> MapView:
        target = self.at.target(layer.output)
        assert isinstance(target, MapView)
        return target


def _vector(weight: Weight | None, length: int) -> NDArray[np.float32]:
    return np.zeros(length, np.float32) if weight is None else weight.dense()


def _as_matrix(weight: Weight, shape: Shape, window: c.Window, groups: int) -> Weight:
    """Return the matrix [O, C * H * W] of a convolution that has room for one window only."""
    outputs, group, _, _ = weight.shape
    channels, height, width = (*shape, 1, 1)[:3]
    positions, values = weight.nonzeros()
    out, inner, y, x = np.unravel_index(positions, weight.shape)
    channel = out // (outputs // groups) * group + inner
    row = y * window.dilation[0] - window.padding[0]
    column = x * window.dilation[1] - window.padding[1]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    place = ((out * channels + channel) * height + row) * width + column
    return Weight((outputs, channels * height * width), values[inside], place[inside].astype(np.int64))


def _window_weights(shape: Shape, window: c.Window, divisors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of every pixel in the average of the only window, [1, pixels]."""
    share = np.zeros(shape[1:], np.float32)
    (high, wide), (top, left, _, _) = window.kernel, window.padding
    share[max(0, -top) : high - top, max(0, -left) : wide - left] = 1 / divisors[0, 0]
    return share.reshape(1, -1)


def _adaptive_weights(size: tuple[int, int], output: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the share of every pixel in every mean of an adaptive pooling, [outputs, pixels]."""

    def along(length: int, count: int) -> NDArray[np.float64]:
        share = np.zeros((count, length))
        for one, (begin, end) in enumerate(adaptive_bounds(length, count)):
            share[one, begin:end] = 1 / (end - begin)
        return share

    rows, columns = along(size[0], output[0]), along(size[1], output[1])
    return np.einsum("ay,bx->abyx", rows, columns).reshape(prod(output), prod(size)).astype(np.float32)
