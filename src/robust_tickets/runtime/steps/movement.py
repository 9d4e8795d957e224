"""Pixels brought into blocks, halos filled, pixels brought back: as steps."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels import border, copy, gather, scatter
from robust_tickets.runtime.kernels.layout import LANES, VECTOR, Layout
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView, PlainView
from robust_tickets.runtime.planning.commands import Border, CopyChannels, Gather, Scatter
from robust_tickets.runtime.steps.step import KernelStep, address

_MOST_WRITTEN_OUT = 256
"""Vectors of a halo that are code each: a second is spent on compiling this many, for all maps of their size."""


def gather_step(command: Gather, arena: int, target: Target) -> KernelStep:
    """Return the step that puts pixels into blocks."""
    view, layout = command.target, command.target.layout
    pixels = layout.pixels()
    inside = pixels >= 0
    table = np.where(inside, _offsets(command)[pixels], 0).astype(np.int32)
    masks = (inside << np.arange(LANES)).sum(axis=-1).astype(np.uint16)
    channels = view.channels
    scale = np.ones(channels, np.float32) if command.scale is None else np.ascontiguousarray(command.scale)
    shift = np.zeros(channels, np.float32) if command.shift is None else np.ascontiguousarray(command.shift)
    source = command.source
    plane = source.layout.channel_stride if isinstance(source, MapView) else 4 * prod(source.shape[1:])
    rows, columns, _ = table.shape
    module = compile(gather.ir(), target)
    call = gather.ARGUMENTS.pack(
        source=source.address(arena),
        target=arena + view.buffer.offset + view.start,
        table=address(table),
        masks=address(masks),
        scale=address(scale),
        shift=address(shift),
        rows=rows,
        columns=columns,
        source_channel=plane,
        target_channel=layout.channel_stride,
        target_row=layout.row_stride,
    )
    keep = (table, masks, scale, shift, module)
    return KernelStep(command.name, "gather", module.address(gather.NAME), call, channels * rows, keep)


def border_step(command: Border, arena: int, target: Target) -> KernelStep:
    """Return the step that fills a halo."""
    view = command.target
    keep: tuple[object, ...] = ()
    targets, sources, masks = _border(view.layout)
    if len(targets) <= _MOST_WRITTEN_OUT:
        module = compile(border.ir(view.layout), target)
        call = border.ARGUMENTS.pack(map=view.address(arena), row_stride=view.layout.row_stride)
    else:
        module = compile(border.table_ir(), target)
        call = border.TABLE_ARGUMENTS.pack(
            map=view.address(arena),
            targets=address(targets),
            sources=address(sources),
            masks=address(masks),
            vectors=len(targets),
            channel_stride=view.layout.channel_stride,
        )
        keep = (targets, sources, masks)
    return KernelStep(command.name, "border", module.address(border.NAME), call, view.channels, (module, *keep))


def scatter_step(command: Scatter, arena: int, target: Target) -> KernelStep:
    """Return the step that puts the pixels of blocks into row-major order."""
    view = command.source
    count = prod(command.target.shape[1:])
    table = lane_offsets(view.layout)[command.first : command.first + count]
    module = compile(scatter.ir(), target)
    call = scatter.ARGUMENTS.pack(
        source=view.address(arena),
        target=command.target.address(arena),
        table=address(table),
        pixels=len(table),
        source_channel=view.layout.channel_stride,
    )
    return KernelStep(command.name, "scatter", module.address(scatter.NAME), call, view.channels, (table, module))


def copy_step(command: CopyChannels, arena: int, target: Target) -> KernelStep:
    """Return the step that copies channels."""
    module = compile(copy.ir(), target)
    channels = np.ascontiguousarray(command.channels, np.int64)
    source, place = command.source, command.target
    if isinstance(source, MapView) and isinstance(place, MapView):
        high, wide = place.layout.block
        rows, size = high, wide * VECTOR
        strides = source.layout.channel_stride, source.layout.row_stride
        target_strides = place.layout.channel_stride, place.layout.row_stride
    else:
        assert isinstance(place, PlainView)
        rows, size = 1, 4 * prod(place.shape[1:])
        strides = target_strides = size, 0
    call = copy.ARGUMENTS.pack(
        source=source.address(arena),
        target=place.address(arena) + command.first * target_strides[0],
        channels=address(channels),
        rows=rows,
        bytes=size,
        source_channel=strides[0],
        source_row=strides[1],
        target_channel=target_strides[0],
        target_row=target_strides[1],
    )
    return KernelStep(command.name, "copy", module.address(copy.NAME), call, len(channels), (channels, module))


def _border(layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint16]]:
    """Return what `border.TABLE_ARGUMENTS` says of the vectors that are halo, or have lanes that are not pixels."""
    (high, wide), halo, pixels = layout.block, layout.halo, layout.pixels()
    outside = (pixels < 0).any(axis=-1)
    halos = np.ones_like(outside)
    halos[halo.top : halo.top + high, halo.left : halo.left + wide] = False
    y, x = np.nonzero(outside | halos)
    inside = pixels[y, x] >= 0
    sources = np.where(inside, lane_offsets(layout)[pixels[y, x]], 0).astype(np.int32)
    targets = (y - halo.top) * layout.row_stride + (x - halo.left) * VECTOR
    return targets, sources, (inside << np.arange(LANES)).sum(axis=-1).astype(np.uint16)


def _offsets(command: Gather) -> NDArray[np.int64]:
    """Return byte offsets of the pixels that are taken, from the address of a channel, int64 [height * width]."""
    source, layout = command.source, command.target.layout
    if isinstance(source, MapView):
        width, offsets = source.layout.width, lane_offsets(source.layout)
    else:
        width, offsets = source.shape[-1], 4 * np.arange(prod(source.shape[1:]))
    y, x = np.divmod(np.arange(layout.height * layout.width), layout.width)
    return offsets[command.first + y * command.every[0] * width + x * command.every[1]]


def lane_offsets(layout: Layout) -> NDArray[np.int64]:
    """Return where each pixel of a channel lies: bytes from vector (0, 0), int64 [height * width]."""
    (high, wide), halo = layout.block, layout.halo
    pixels = layout.pixels()[halo.top : halo.top + high, halo.left : halo.left + wide]
    y, x, lane = np.nonzero(pixels >= 0)
    offsets = np.full(layout.height * layout.width, -1, np.int64)
    offsets[pixels[y, x, lane]] = y * layout.row_stride + x * VECTOR + lane * 4
    assert (offsets >= 0).all(), "a pixel lies in no block"
    return offsets
