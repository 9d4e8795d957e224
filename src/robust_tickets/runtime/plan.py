"""From layers to commands: which value lies where, in which layout, and what is moved in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime import commands as c
from robust_tickets.runtime.buffers import Buffer, MapView, PlainView, View
from robust_tickets.runtime.fusion import Layer, fuse
from robust_tickets.runtime.graph import Graph, Shape, Weight
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.layout import Halo, Layout, best_layout
from robust_tickets.runtime.shapes import adaptive_bounds, average_divisors

_WINDOWS = {"conv", "max_pool", "avg_pool"}


@dataclass(frozen=True, eq=False)
class Plan:
    """Commands in order, and where the network's input and output lie."""

    commands: tuple[c.Command, ...]
    buffers: tuple[Buffer, ...]
    input: PlainView
    output: PlainView


def make_plan(graph: Graph, shapes: Mapping[str, Shape]) -> Plan:
    """Return how to execute a checked graph, image by image.

    Args:
        graph: as `operations.check` accepts it.
        shapes: of all values, as `operations.check` returns them.
    """
    layers = fuse(graph, shapes)
    planner = _Planner(shapes, graph.input)
    planner.place(layers)
    for layer in layers:
        planner.emit(layer)
    output = planner.plain(graph.output, "output")
    commands = tuple(planner.commands)
    source = planner.views[graph.input]
    assert isinstance(source, PlainView)
    for buffer in (source.buffer, output.buffer):
        # They are filled and read from outside.
        buffer.born, buffer.dies = 0, len(commands)
    return Plan(commands, tuple(planner.buffers), source, output)


@dataclass(frozen=True)
class _Need:
    """The layout in which a window reads its input."""

    layout: Layout
    bordered: bool
    """Whether it reads the halo, or lanes outside of the map."""


@dataclass
class _Planner:
    shapes: Mapping[str, Shape]
    input: str
    commands: list[c.Command] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)
    """Value -> where its producer puts it, or where it is known to lie."""
    copies: dict[tuple[str, Any], View] = field(default_factory=dict)
    """(value, grid and block, or "plain") -> the same value elsewhere."""
    halos: dict[tuple[str, Any], Halo] = field(default_factory=dict)
    """(value, grid and block) -> what the windows that read it need together."""
    bordered: dict[Buffer, set[int]] = field(default_factory=dict)
    """Channels whose halo is up to date."""
    scaled: dict[str, tuple[str, NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=dict)
    """Value -> the plain value, scale and shift by channel that it is made of when it is moved into blocks."""

    def __post_init__(self) -> None:
        self.views[self.input] = PlainView(self._buffer(4 * prod(self.shapes[self.input])), self.shapes[self.input])
        self.maps = {self.input: False}

    def is_map(self, value: str) -> bool:
        """Return whether a value lies in blocks."""
        return self.maps[value]

    # Placement

    def place(self, layers: Sequence[Layer]) -> None:
        """Decide on the layout of every map, and let what is concatenated be written where the whole lies."""
        for layer in layers:
            self.maps[layer.output] = self._makes_map(layer)
        for layer in layers:
            if layer.op == "max_pool" or (layer.op in _WINDOWS and self.is_map(layer.output)):
                need = self._need(layer)
                key = (layer.inputs[0], _blocks(need.layout))
                self.halos[key] = self.halos.get(key, Halo()) | need.layout.halo
        homes: dict[str, tuple[str, int]] = {}
        for layer in reversed(layers):
            if layer.op == "concat" and self.is_map(layer.output):
                if layer.output not in homes:
                    homes[layer.output] = self._within(layer, homes)
                root, first = homes[layer.output]
                for value in layer.inputs:
                    taken = value in homes or layer.inputs.count(value) > 1
                    if not taken and self.is_map(value) and self.made_by(layers, value) not in ("slice", ""):
                        homes[value] = (root, first)
                    first += self.shapes[value][0]
        by_root: dict[str, Halo] = {}
        for value, is_map in self.maps.items():
            if is_map:
                root, _ = homes.get(value, (value, 0))
                key = (value, _blocks(self._default(value)))
                by_root[root] = by_root.get(root, Halo()) | self.halos.get(key, Halo())
        self.homes = homes
        self.root_halos = by_root
        # A slice is a view of its input, and what reads the slice reads the input's halo.
        for layer in reversed(layers):
            if layer.op == "slice" and self.is_map(layer.output):
                root, _ = homes.get(layer.inputs[0], (layer.inputs[0], 0))
                by_root[root] = by_root[root] | by_root[layer.output]

    def _within(self, layer: Layer, homes: Mapping[str, tuple[str, int]]) -> tuple[str, int]:
        """Return where a concatenation lies: among what a later one already has side by side, else by itself."""
        found = [homes.get(value) for value in layer.inputs]
        alone = (layer.output, 0)
        first = found[0]
        if first is None:
            return alone
        expected = first[1]
        for place, value in zip(found, layer.inputs, strict=True):
            if place != (first[0], expected):
                return alone
            expected += self.shapes[value][0]
        return first

    def made_by(self, layers: Sequence[Layer], value: str) -> str:
        """Return the operation that makes a value; empty for the network's input."""
        return next((layer.op for layer in layers if layer.output == value), "")

    def _makes_map(self, layer: Layer) -> bool:
        shape = self.shapes[layer.output]
        if len(shape) != 3 or prod(shape[1:]) == 1 or layer.op in ("reshape", "adaptive_avg_pool"):
            return False
        return layer.op in (*_WINDOWS, "layer_norm") or any(self.is_map(value) for value in layer.inputs)

    def _default(self, value: str) -> Layout:
        return best_layout(*self.shapes[value])

    def _need(self, layer: Layer) -> _Need:
        """Return the layout in which a layer that moves a window reads its input."""
        channels, height, width = self.shapes[layer.inputs[0]]
        out = self._default(layer.output)
        window = _window(layer)
        (high, wide), (down, right) = window.kernel, window.stride
        top, left, _, _ = window.padding
        reach = ((high - 1) * window.dilation[0], (wide - 1) * window.dilation[1])
        block = (down * out.block[0], right * out.block[1])
        halo = Halo(top, left, max(0, reach[0] - top - down + 1), max(0, reach[1] - left - right + 1))
        layout = Layout(channels, height, width, out.grid, block, halo)
        beyond = (out.height - 1) * down + reach[0] - top >= height or (out.width - 1) * right + reach[
            1
        ] - left >= width
        return _Need(layout, bool(halo) or (beyond and not layout.full))

    # Where values lie

    def _buffer(self, size: int) -> Buffer:
        buffer = Buffer(size)
        self.buffers.append(buffer)
        return buffer

    def target(self, value: str) -> View:
        """Return where a value is to be written."""
        if value not in self.views:
            shape = self.shapes[value]
            if not self.is_map(value):
                self.views[value] = PlainView(self._buffer(4 * prod(shape)), shape)
            else:
                root, first = self.homes.get(value, (value, 0))
                if root != value:
                    whole = self.target(root)
                    assert isinstance(whole, MapView)
                    self.views[value] = MapView(whole.buffer, whole.layout, whole.first + first, shape[0])
                else:
                    layout = self._default(value).with_halo(self.root_halos[value])
                    self.views[value] = MapView(self._buffer(layout.size), layout, 0, shape[0])
        return self.views[value]

    def plain(self, value: str, name: str) -> PlainView:
        """Return a value in row-major order, moved there if need be."""
        view = self.views.get(value)
        if isinstance(view, PlainView):
            return view
        key = (value, "plain")
        if key not in self.copies:
            shape = self.shapes[value]
            copy = PlainView(self._buffer(4 * prod(shape)), shape)
            if view is None:
                source, scale, shift = self.scaled[value]
                self.do(c.Pointwise(name, self.plain(source, name), copy, "affine", None, scale, shift, Activation()))
            else:
                self.do(c.Scatter(name, view, copy))
            self.copies[key] = copy
        copy = self.copies[key]
        assert isinstance(copy, PlainView)
        return copy

    def map(self, value: str, name: str, need: _Need | None = None) -> MapView:
        """Return a value in blocks, moved and bordered if need be."""
        view = self.views.get(value)
        layout = need.layout if need is not None else self._default(value)
        if not (isinstance(view, MapView) and view.layout.aligned(layout)):
            key = (value, _blocks(layout))
            if key not in self.copies:
                layout = layout.with_halo(self.halos.get(key, Halo()))
                copy = MapView(self._buffer(layout.size), layout, 0, layout.channels)
                if view is None:
                    source, scale, shift = self.scaled[value]
                    self.do(c.Gather(name, self.plain(source, name), copy, scale, shift))
                else:
                    self.do(c.Gather(name, view, copy))
                self.copies[key] = copy
            found = self.copies[key]
            assert isinstance(found, MapView)
            return found
        if need is not None and need.bordered:
            done = self.bordered.setdefault(view.buffer, set())
            missing = [one for one in range(view.first, view.first + view.channels) if one not in done]
            if missing:
                first, last = missing[0], missing[-1]
                part = MapView(view.buffer, view.layout, first, last + 1 - first)
                self.do(c.Border(name, part, part))
                done.update(missing)
        return view

    def do(self, command: c.Command) -> None:
        """Append a command."""
        for view in command.views:
            view.buffer.used(len(self.commands))
        self.commands.append(command)

    # Commands

    def emit(self, layer: Layer) -> None:
        """Append the commands of a layer."""
        getattr(self, f"_{layer.op}")(layer)

    def _conv(self, layer: Layer) -> None:
        weight, bias = layer.weights["weight"], _vector(layer.weights.get("bias"), layer.weights["weight"].shape[0])
        if self.is_map(layer.output):
            need = self._need(layer)
            source = self.map(layer.inputs[0], layer.name, need)
            residual = None if layer.residual is None else self.map(layer.residual, layer.name)
            target = self.target(layer.output)
            assert isinstance(target, MapView)
            self.do(
                c.Convolve(
                    layer.name,
                    source,
                    target,
                    _window(layer),
                    layer.attributes["groups"],
                    weight,
                    bias,
                    residual,
                    layer.activation,
                )
            )
            return
        # One window: a matrix times all that it covers.
        source = self.plain(layer.inputs[0], layer.name)
        matrix = _as_matrix(weight, self.shapes[layer.inputs[0]], _window(layer), layer.attributes["groups"])
        target = self.target(layer.output)
        assert isinstance(target, PlainView)
        if layer.residual is None:
            self.do(c.Linear(layer.name, source, target, matrix, bias, layer.activation))
            return
        self.do(c.Linear(layer.name, source, target, matrix, bias, Activation()))
        other = self.plain(layer.residual, layer.name)
        self.do(c.Pointwise(layer.name, target, target, "add", other, None, None, layer.activation))

    def _linear(self, layer: Layer) -> None:
        weight = layer.weights["weight"]
        source, target = self.plain(layer.inputs[0], layer.name), self.target(layer.output)
        assert isinstance(target, PlainView)
        bias = _vector(layer.weights.get("bias"), weight.shape[0])
        self.do(c.Linear(layer.name, source, target, weight, bias, layer.activation))

    def _max_pool(self, layer: Layer) -> None:
        self._pool(layer, "max")

    def _avg_pool(self, layer: Layer) -> None:
        self._pool(layer, "avg")

    def _pool(self, layer: Layer, kind: str) -> None:
        shape, window = self.shapes[layer.inputs[0]], _window(layer)
        divisors = average_divisors(shape, layer.attributes) if kind == "avg" else None
        if self.is_map(layer.output):
            source, target = self.map(layer.inputs[0], layer.name, self._need(layer)), self.target(layer.output)
            assert isinstance(target, MapView)
            self.do(c.Pool(layer.name, source, target, kind, window, divisors))
            return
        target = self.target(layer.output)
        assert isinstance(target, PlainView)
        if divisors is not None:
            source = self.map(layer.inputs[0], layer.name)
            self.do(c.Average(layer.name, source, target, _window_weights(shape, window, divisors)))
            return
        layout = best_layout(*self.shapes[layer.output])
        pixel = MapView(self._buffer(layout.size), layout, 0, layout.channels)
        self.do(c.Pool(layer.name, self.map(layer.inputs[0], layer.name, self._need(layer)), pixel, kind, window))
        self.do(c.Scatter(layer.name, pixel, target))

    def _adaptive_avg_pool(self, layer: Layer) -> None:
        _, height, width = self.shapes[layer.inputs[0]]
        weights = _adaptive_weights((height, width), tuple(layer.attributes["output"]))
        source, target = self.map(layer.inputs[0], layer.name), self.target(layer.output)
        assert isinstance(target, PlainView)
        self.do(c.Average(layer.name, source, target, weights))

    def _reshape(self, layer: Layer) -> None:
        source = self.plain(layer.inputs[0], layer.name)
        self.views[layer.output] = PlainView(source.buffer, self.shapes[layer.output])

    def _same(self, layer: Layer, value: str) -> View:
        """Return an input in the representation of the output."""
        return self.map(value, layer.name) if self.is_map(layer.output) else self.plain(value, layer.name)

    def _activation(self, layer: Layer) -> None:
        source, target = self._same(layer, layer.inputs[0]), self.target(layer.output)
        self.do(c.Pointwise(layer.name, source, target, "affine", None, None, None, layer.activation))

    def _affine(self, layer: Layer) -> None:
        scale, shift = layer.weights["scale"].dense(), layer.weights["shift"].dense()
        if not self.is_map(layer.output) and not layer.activation.kind and len(self.shapes[layer.output]) == 3:
            # Such as the normalisation of images: done on the way into blocks.
            self.scaled[layer.output] = (layer.inputs[0], scale, shift)
            return
        source, target = self._same(layer, layer.inputs[0]), self.target(layer.output)
        self.do(c.Pointwise(layer.name, source, target, "affine", None, scale, shift, layer.activation))

    def _add(self, layer: Layer) -> None:
        self._binary(layer, "add")

    def _mul(self, layer: Layer) -> None:
        self._binary(layer, "mul")

    def _binary(self, layer: Layer, kind: str) -> None:
        left, right = layer.inputs
        shape = self.shapes[layer.output]
        if self.shapes[left] != shape:
            left, right = right, left
        target = self.target(layer.output)
        if self.shapes[right] == shape:
            source, other = self._same(layer, left), self._same(layer, right)
            self.do(c.Pointwise(layer.name, source, target, kind, other, None, None, layer.activation))
            return
        source, numbers = self._same(layer, left), self.plain(right, layer.name)
        broadcast = "scale" if kind == "mul" else "shift"
        self.do(c.Pointwise(layer.name, source, target, broadcast, numbers, None, None, layer.activation))

    def _concat(self, layer: Layer) -> None:
        target = self.target(layer.output)
        first = 0
        for value in layer.inputs:
            count = self.shapes[value][0]
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
                    self.do(c.CopyChannels(layer.name, view, part, np.arange(count)))
            else:
                assert isinstance(view, PlainView)
                self.do(c.CopyChannels(layer.name, view, target, np.arange(count), first))
            first += count

    def _slice(self, layer: Layer) -> None:
        start, stop = layer.attributes["start"], layer.attributes["stop"]
        view = self._same(layer, layer.inputs[0])
        if isinstance(view, MapView):
            self.views[layer.output] = MapView(view.buffer, view.layout, view.first + start, stop - start)
            return
        self.do(c.CopyChannels(layer.name, view, self.target(layer.output), np.arange(start, stop)))

    def _shuffle(self, layer: Layer) -> None:
        channels, groups = self.shapes[layer.output][0], layer.attributes["groups"]
        # Channel c goes to c % (C / groups) * groups + c // (C / groups): which comes to each place?
        source = np.arange(channels).reshape(groups, channels // groups).T.reshape(-1)
        view = self._same(layer, layer.inputs[0])
        self.do(c.CopyChannels(layer.name, view, self.target(layer.output), source))

    def _layer_norm(self, layer: Layer) -> None:
        scale, shift = layer.weights["scale"].dense(), layer.weights["shift"].dense()
        source, target = self._same(layer, layer.inputs[0]), self.target(layer.output)
        self.do(c.LayerNorm(layer.name, source, target, scale, shift, layer.attributes["epsilon"]))


def _blocks(layout: Layout) -> tuple[tuple[int, int], tuple[int, int]]:
    return layout.grid, layout.block


def _window(layer: Layer) -> c.Window:
    a = layer.attributes
    kernel = layer.weights["weight"].shape[2:] if layer.op == "conv" else a["kernel"]
    (high, wide), (down, right) = kernel, a["stride"]
    top, left, bottom, below = a["padding"]
    spread = a.get("dilation", (1, 1))
    return c.Window((high, wide), (down, right), (top, left, bottom, below), (spread[0], spread[1]))


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
