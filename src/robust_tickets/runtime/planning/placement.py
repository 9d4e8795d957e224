"""Where the values of a graph lie: in which layout, side by side with what, and moved where a reader needs them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Shape
from robust_tickets.runtime.kernels.depthwise import MOST_WRITTEN_OUT, DepthwiseKernel
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.layout import VECTOR, Halo, Layout, best_layout
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.buffers import Buffer, MapView, PlainView, View
from robust_tickets.runtime.planning.fusion import Layer

_LARGEST_BUFFER = 2**32
"""Bytes: kernels read offsets of 32 bits."""

_MOVING = 20
"""Vectors that are multiplied and added in the time in which one is put together from pixels."""

_LEAST_DENSITY = 1 / 16
"""Of weights that are written out with their zeros: a small file shall not take much memory."""

_WRITTEN_OUT_TOGETHER = 8 * MOST_WRITTEN_OUT
"""Multiplications that are code each, of all kernels of a network: a file of many layers is soon compiled, too."""

_WINDOWS = {"conv", "max_pool", "avg_pool"}

_OF_TOKENS = {"sequence", "embed", "attention"}
"""Operations that make blocks of whatever they read."""


@dataclass(frozen=True)
class Need:
    """The layout in which a window reads its input."""

    layout: Layout
    bordered: bool
    """Whether it reads the halo, or lanes outside of the map."""
    every: tuple[int, int] = (1, 1)
    """Which rows and columns of pixels it reads; the layout is of those alone."""

    @property
    def key(self) -> tuple[object, ...]:
        """Return what a copy of the value can be shared by."""
        return (self.layout.grid, self.layout.block, self.every)


@dataclass
class Placement:
    """What is known while a plan is made, and the commands so far."""

    shapes: Mapping[str, Shape]
    input: str
    vector_bits: int
    """Width of the processor's registers."""
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
    compact: bool = False
    """Whether halos cost more than convolutions: of networks with depthwise ones."""
    layouts: dict[str, Layout] = field(default_factory=dict)
    """Value -> the blocks in which its only reader wants it, where these are not those that cover it best."""
    written_out: dict[DepthwiseKernel, int] = field(default_factory=dict)
    """Depthwise kernels of the network, each with how much code it is."""
    scaled: dict[str, tuple[str, NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=dict)
    """Value -> the plain value, scale and shift by channel that it is made of when it is moved into blocks."""

    def __post_init__(self) -> None:
        self.views[self.input] = PlainView(self.buffer(4 * prod(self.shapes[self.input])), self.shapes[self.input])
        self.maps = {self.input: False}

    def is_map(self, value: str) -> bool:
        """Return whether a value lies in blocks."""
        return self.maps[value]

    def decide(self, layers: Sequence[Layer]) -> None:
        """Decide on the layout of every map, and let what is concatenated be written where the whole lies."""
        for layer in layers:
            self.maps[layer.output] = self._makes_map(layer)
        self.compact = any(map(_is_depthwise, layers))
        self._suit_strides(layers)
        for layer in layers:
            if layer.op == "max_pool" or (layer.op in _WINDOWS and self.is_map(layer.output)):
                need = self.need(layer)
                key = (layer.inputs[0], need.key)
                self.halos[key] = self.halos.get(key, Halo()) | need.layout.halo
        made_by = {layer.output: layer.op for layer in layers}
        homes: dict[str, tuple[str, int]] = {}
        for layer in reversed(layers):
            if layer.op == "concat" and self.is_map(layer.output):
                if layer.output not in homes:
                    homes[layer.output] = self._within(layer, homes)
                root, first = homes[layer.output]
                for value in layer.inputs:
                    taken = value in homes or layer.inputs.count(value) > 1
                    if not taken and self.is_map(value) and made_by[value] != "slice":
                        homes[value] = (root, first)
                    first += self.shapes[value][0]
        self._reuse_residuals(layers, homes)
        by_root: dict[str, Halo] = {}
        for value, is_map in self.maps.items():
            if is_map:
                root, _ = homes.get(value, (value, 0))
                key = (value, Need(self._default(value), False).key)
                by_root[root] = by_root.get(root, Halo()) | self.halos.get(key, Halo())
        self.homes = homes
        self.root_halos = by_root
        # A slice is a view of its input, and what reads the slice reads the input's halo.
        for layer in reversed(layers):
            if layer.op == "slice" and self.is_map(layer.output):
                root, _ = homes.get(layer.inputs[0], (layer.inputs[0], 0))
                by_root[root] = by_root[root] | by_root[layer.output]

    def _suit_strides(self, layers: Sequence[Layer]) -> None:
        """Let the input of a strided depthwise convolution be made in the blocks that it reads.

        Where it would have to be moved, it is the input of the pointwise convolution before it that is: fewer channels,
        and no halo.
        """
        uses = Counter(value for layer in layers for value in layer.reads)
        made_by = {layer.output: layer for layer in layers}
        for layer in reversed(layers):
            before = made_by.get(layer.inputs[0])
            if before is None or uses[before.output] > 1 or not (_is_depthwise(layer) and _is_pointwise(before)):
                continue
            if tuple(layer.attributes["stride"]) == (1, 1):
                continue
            if not (self.is_map(layer.output) and self.is_map(before.output) and before.residual is None):
                continue
            need, default = self.need(layer), self._default(before.output)
            wanted = need.layout
            if need.every != (1, 1) or not wanted.covers:
                # Of those blocks it reads little, or what lies outside of them: they are no place for the map.
                continue
            narrow = self.shapes[before.inputs[0]][0] < self.shapes[before.output][0]
            more = (prod(wanted.block) - prod(default.block)) * before.weights["weight"].count
            if narrow and not wanted.aligned(default) and more < _MOVING * wanted.size // VECTOR:
                self.layouts[before.output] = replace(wanted, halo=Halo())

    def _reuse_residuals(self, layers: Sequence[Layer], homes: dict[str, tuple[str, int]]) -> None:
        """Let a convolution write over its residual where nobody reads that any more.

        What has just been read need not be fetched again to be written.
        """
        last = {value: index for index, layer in enumerate(layers) for value in layer.reads}
        taken = {*homes, self.input}
        for layer in layers:
            if layer.op == "slice":
                taken |= {layer.output, *layer.inputs}
        for index, layer in enumerate(layers):
            value = layer.residual
            if value is None or last[value] != index or value in layer.inputs:
                continue
            if self.is_map(layer.output) and self.is_map(value) and not taken & {value, layer.output}:
                homes[layer.output] = homes.get(value, (value, 0))

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

    def _makes_map(self, layer: Layer) -> bool:
        shape = self.shapes[layer.output]
        if len(shape) != 3 or prod(shape[1:]) == 1 or layer.op in ("reshape", "adaptive_avg_pool"):
            return False
        return layer.op in (*_WINDOWS, *_OF_TOKENS, "layer_norm") or any(self.is_map(value) for value in layer.inputs)

    def _default(self, value: str) -> Layout:
        return self.layouts.get(value) or best_layout(*self.shapes[value], compact=self.compact)

    def need(self, layer: Layer) -> Need:
        """Return the layout in which a layer that moves a window reads its input."""
        channels, height, width = self.shapes[layer.inputs[0]]
        out = self._default(layer.output)
        window = window_of(layer)
        (high, wide), (down, right) = window.kernel, window.stride
        top, left, _, _ = window.padding
        reach = ((high - 1) * window.dilation[0], (wide - 1) * window.dilation[1])
        block = (down * out.block[0], right * out.block[1])
        if self.depthwise(layer) is not None:
            return Need(Layout(channels, height, width, out.grid, block), False)
        halo = Halo(top, left, max(0, reach[0] - top - down + 1), max(0, reach[1] - left - right + 1))
        layout = Layout(channels, height, width, out.grid, block, halo)
        last = ((out.height - 1) * down + reach[0] - top, (out.width - 1) * right + reach[1] - left)
        beyond = last[0] >= height or last[1] >= width
        if layer.op == "conv" and reach == (0, 0) and window.stride != (1, 1) and not halo and not beyond:
            default = self._default(layer.inputs[0])
            if not layout.aligned(default):
                # It has to be moved anyway: move what is read.
                return Need(replace(out, channels=channels), False, window.stride)
        return Need(layout, bool(halo) or (beyond and not layout.full))

    def depthwise(self, layer: Layer) -> DepthwiseKernel | None:
        """Return the kernel that convolves each channel by itself and needs no halo; None if another is needed.

        It multiplies by zeros as well: where most weights are zero, the general one may be faster.
        """
        if not _is_depthwise(layer) or layer.residual is not None or not self.is_map(layer.output):
            return None
        _, height, width = self.shapes[layer.inputs[0]]
        out, window = self._default(layer.output), window_of(layer)
        kernel = DepthwiseKernel(
            size=(height, width),
            grid=out.grid,
            block=out.block,
            kernel=window.kernel,
            stride=window.stride,
            dilation=window.dilation,
            padding=(window.padding[0], window.padding[1]),
            activation=layer.activation,
        )
        weight = layer.weights["weight"]
        density = weight.count / prod(weight.shape)
        if not (kernel.covers and density >= _LEAST_DENSITY and kernel.gains(density, self.vector_bits)):
            return None
        size = kernel.written_out(self.vector_bits)
        if kernel not in self.written_out:
            if size > MOST_WRITTEN_OUT or size + sum(self.written_out.values()) > _WRITTEN_OUT_TOGETHER:
                return None
            self.written_out[kernel] = size
        return kernel

    def buffer(self, size: int) -> Buffer:
        """Return a new stretch of the arena.

        Raises:
            RuntimeFileError: it is larger than kernels can reach.
        """
        if size > _LARGEST_BUFFER:
            raise RuntimeFileError(
                f"a value takes {size} bytes including its surroundings; it should take at most {_LARGEST_BUFFER}"
            )
        buffer = Buffer(size)
        self.buffers.append(buffer)
        return buffer

    def target(self, value: str) -> View:
        """Return where a value is to be written."""
        if value not in self.views:
            shape = self.shapes[value]
            if not self.is_map(value):
                self.views[value] = PlainView(self.buffer(4 * prod(shape)), shape)
            else:
                root, first = self.homes.get(value, (value, 0))
                if root != value:
                    whole = self.target(root)
                    assert isinstance(whole, MapView)
                    self.views[value] = MapView(whole.buffer, whole.layout, whole.first + first, shape[0])
                else:
                    layout = self._default(value).with_halo(self.root_halos[value])
                    self.views[value] = MapView(self.buffer(layout.size), layout, 0, shape[0])
        return self.views[value]

    def plain(self, value: str, name: str) -> PlainView:
        """Return a value in row-major order, moved there if need be."""
        view = self.views.get(value)
        if isinstance(view, PlainView):
            return view
        key = (value, "plain")
        if key not in self.copies:
            shape = self.shapes[value]
            copy = PlainView(self.buffer(4 * prod(shape)), shape)
            if view is None:
                source, scale, shift = self.scaled[value]
                self.do(c.Pointwise(name, self.plain(source, name), copy, "affine", None, scale, shift, Activation()))
            else:
                self.do(c.Scatter(name, view, copy))
            self.copies[key] = copy
        copy = self.copies[key]
        assert isinstance(copy, PlainView)
        return copy

    def map(self, value: str, name: str, need: Need | None = None) -> MapView:
        """Return a value in blocks, moved and bordered if need be."""
        view = self.views.get(value)
        need = need or Need(self._default(value), False)
        layout = need.layout
        if need.every != (1, 1) or not (isinstance(view, MapView) and view.layout.aligned(layout)):
            key = (value, need.key)
            if key not in self.copies:
                layout = layout.with_halo(self.halos.get(key, Halo()))
                copy = MapView(self.buffer(layout.size), layout, 0, layout.channels)
                if view is None:
                    source, scale, shift = self.scaled[value]
                    self.do(c.Gather(name, self.plain(source, name), copy, scale, shift, need.every))
                else:
                    self.do(c.Gather(name, view, copy, every=need.every))
                self.copies[key] = copy
            found = self.copies[key]
            assert isinstance(found, MapView)
            return found
        if need.bordered:
            done = self.bordered.setdefault(view.buffer, set())
            missing = [one for one in range(view.first, view.first + view.channels) if one not in done]
            if missing:
                first, last = missing[0], missing[-1]
                part = MapView(view.buffer, view.layout, first, last + 1 - first)
                self.do(c.Border(name, part, part))
                done.update(missing)
        return view

    def zeroed(self, value: str, name: str) -> MapView:
        """Return a value in blocks, with zeros in lanes outside of the map."""
        layout = self._default(value)
        return self.map(value, name, Need(layout, bordered=not layout.full))

    def do(self, command: c.Command) -> None:
        """Append a command."""
        for view in command.views:
            view.buffer.used(len(self.commands))
        if not isinstance(command, c.Border):
            # A buffer may be written again, over a residual.
            self.bordered.pop(command.target.buffer, None)
        self.commands.append(command)


def _is_depthwise(layer: Layer) -> bool:
    if layer.op != "conv":
        return False
    outputs, group, _, _ = layer.weights["weight"].shape
    return group == 1 and layer.attributes["groups"] == outputs


def _is_pointwise(layer: Layer) -> bool:
    if layer.op != "conv" or layer.attributes["groups"] > 1:
        return False
    return layer.weights["weight"].shape[2:] == (1, 1) and tuple(layer.attributes["stride"]) == (1, 1)


def window_of(layer: Layer) -> c.Window:
    """Return how the window of a convolution or a pooling moves."""
    a = layer.attributes
    kernel = layer.weights["weight"].shape[2:] if layer.op == "conv" else a["kernel"]
    (high, wide), (down, right) = kernel, a["stride"]
    top, left, bottom, below = a["padding"]
    spread = a.get("dilation", (1, 1))
    return c.Window((high, wide), (down, right), (top, left, bottom, below), (spread[0], spread[1]))
