"""Pixels brought into blocks, halos filled, pixels brought back: as steps."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.buffers import MapView, PlainView, View
from robust_tickets.runtime.commands import Border, CopyChannels, Gather, Scatter
from robust_tickets.runtime.compiler import compile
from robust_tickets.runtime.kernels import border, copy, gather
from robust_tickets.runtime.layout import LANES, Layout
from robust_tickets.runtime.step import Step, address, arguments
from robust_tickets.runtime.target import Target


def gather_step(command: Gather, arena: int, target: Target) -> Step:
    """Return the step that puts pixels into blocks."""
    view, layout = command.target, command.target.layout
    pixels = layout.pixels()
    inside = pixels >= 0
    table = np.where(inside, _offsets(command.source, layout)[pixels], 0).astype(np.int32)
    masks = (inside << np.arange(LANES)).sum(axis=-1).astype(np.uint16)
    channels = view.channels
    scale = np.ones(channels, np.float32) if command.scale is None else np.ascontiguousarray(command.scale)
    shift = np.zeros(channels, np.float32) if command.shift is None else np.ascontiguousarray(command.shift)
    source = command.source
    plane = source.layout.channel_stride if isinstance(source, MapView) else 4 * layout.height * layout.width
    rows, columns, _ = table.shape
    module = compile(gather.ir(), target)
    call = arguments(
        source.address(arena),
        arena + view.buffer.offset + view.start,
        address(table),
        address(masks),
        address(scale),
        address(shift),
        rows,
        columns,
        plane,
        layout.channel_stride,
        layout.row_stride,
    )
    keep = (table, masks, scale, shift, module)
    return Step(command.name, "gather", module.address(gather.NAME), call, channels * rows, keep)


def border_step(command: Border, arena: int, target: Target) -> Step:
    """Return the step that fills a halo."""
    view = command.target
    module = compile(border.ir(view.layout), target)
    call = arguments(view.address(arena), view.layout.row_stride)
    return Step(command.name, "border", module.address(border.NAME), call, view.channels, (module,))


def scatter_step(command: Scatter, arena: int, target: Target) -> Step:
    """Return the step that puts the pixels of blocks into row-major order."""
    view = command.source
    table = lane_offsets(view.layout)
    module = compile(copy.scatter_ir(), target)
    call = arguments(
        view.address(arena), command.target.address(arena), address(table), len(table), view.layout.channel_stride
    )
    return Step(command.name, "scatter", module.address(copy.SCATTER), call, view.channels, (table, module))


def copy_step(command: CopyChannels, arena: int, target: Target) -> Step:
    """Return the step that copies channels."""
    module = compile(copy.copy_ir(), target)
    channels = np.ascontiguousarray(command.channels, np.int64)
    source, place = command.source, command.target
    if isinstance(source, MapView) and isinstance(place, MapView):
        high, wide = place.layout.block
        shape = (high, wide * 4 * LANES)
        strides = (
            source.layout.channel_stride,
            source.layout.row_stride,
            place.layout.channel_stride,
            place.layout.row_stride,
        )
    else:
        assert isinstance(place, PlainView)
        size = 4 * prod(place.shape[1:])
        shape, strides = (1, size), (size, 0, size, 0)
    to = place.address(arena) + command.first * strides[2]
    call = arguments(source.address(arena), to, address(channels), *shape, *strides)
    return Step(command.name, "copy", module.address(copy.COPY), call, len(channels), (channels, module))


def _offsets(source: View, layout: Layout) -> NDArray[np.int64]:
    """Return byte offsets of pixels from the address of a channel, int64 [height * width]."""
    if not isinstance(source, MapView):
        return 4 * np.arange(layout.height * layout.width)
    return lane_offsets(source.layout)


def lane_offsets(layout: Layout) -> NDArray[np.int64]:
    """Return where each pixel of a channel lies: bytes from vector (0, 0), int64 [height * width]."""
    (high, wide), halo = layout.block, layout.halo
    pixels = layout.pixels()[halo.top : halo.top + high, halo.left : halo.left + wide]
    y, x, lane = np.nonzero(pixels >= 0)
    offsets = np.empty(layout.height * layout.width, np.int64)
    offsets[pixels[y, x, lane]] = y * layout.row_stride + x * 4 * LANES + lane * 4
    return offsets
