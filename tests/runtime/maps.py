"""Values laid out as the engine lays them out, from and to numpy."""

import ctypes
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels.layout import LANES, Halo, Layout, best_layout
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.planning.buffers import Arena, Buffer, MapView, PlainView, View
from robust_tickets.runtime.steps.step import KernelStep

Array = NDArray[np.float32]

TARGETS = [Target.named(name) for name in runnable_names() if name != "x86-64-v4"]
"""Of all widths; the widest is this machine's own."""


def random(*shape: int) -> Array:
    """Normally distributed, the same for the same shape."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def map_view(shape: tuple[int, ...], halo: Halo | None = None, layout: Layout | None = None) -> MapView:
    """A map with its own buffer, in a layout of that shape."""
    channels, height, width = shape
    layout = (layout or best_layout(channels, height, width)).with_halo(halo or Halo())
    return MapView(Buffer(layout.size), layout, 0, channels)


def plain_view(shape: tuple[int, ...]) -> PlainView:
    """A plain value with its own buffer."""
    return PlainView(Buffer(4 * int(np.prod(shape))), shape)


def arena_of(*views: View) -> Arena:
    """An arena in which all of them are alive together, full of what is no number."""
    buffers = list({id(view.buffer): view.buffer for view in views}.values())
    for buffer in buffers:
        buffer.born, buffer.dies = 0, 1
    arena = Arena.holding(buffers)
    arena.bytes.view(np.uint32)[:] = np.float32(np.nan).view(np.uint32)
    return arena


def fill(arena: Arena, view: View, value: Array, beyond: float = np.nan) -> None:
    """Put a value [C, H, W] or [F] where a view has it, halo included, and `beyond` where there is no pixel."""
    if isinstance(view, PlainView):
        _plain(arena, view)[...] = value
        return
    pixels = view.layout.pixels()
    flat = value.reshape(view.channels, -1)
    lanes = np.where(pixels < 0, np.float32(beyond), flat[:, pixels])  # [C, rows, columns, 16]
    vectors(arena, view)[:] = lanes.transpose(1, 0, 2, 3)


def read(arena: Arena, view: View) -> Array:
    """What lies where a view is, [C, H, W] or [F]."""
    if isinstance(view, PlainView):
        return _plain(arena, view).copy()
    layout, halo = view.layout, view.layout.halo
    (high, wide), pixels = layout.block, layout.pixels()
    inner = (slice(halo.top, halo.top + high), slice(halo.left, halo.left + wide))
    lanes = vectors(arena, view).transpose(1, 0, 2, 3)[:, inner[0], inner[1]]
    valid = pixels[inner] >= 0
    result = np.empty((view.channels, layout.height * layout.width), np.float32)
    result[:, pixels[inner][valid]] = lanes[:, valid]
    return result.reshape(view.channels, layout.height, layout.width)


def vectors(arena: Arena, view: MapView) -> Array:
    """All vectors of a map, halo included, [rows, C, columns, 16], to be read or written."""
    layout = view.layout
    start = view.buffer.offset
    whole = arena.bytes[start : start + layout.size].view(np.float32)
    shape = (layout.rows, layout.channels, layout.pitch, LANES)
    columns = layout.halo.left + layout.block[1] + layout.halo.right
    return whole.reshape(shape)[:, view.first : view.first + view.channels, :columns]


def execute(step: KernelStep, pieces: int = 3) -> None:
    """Call a step's function over all tasks, some at a time, the last first."""
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)(step.function)
    edges = [step.tasks * one // pieces for one in range(pieces + 1)]
    for first, last in reversed([*pairwise(edges)]):
        function(step.arguments.ctypes.data, first, last)


def _plain(arena: Arena, view: PlainView) -> Array:
    start = view.buffer.offset
    return arena.bytes[start : start + view.buffer.size].view(np.float32).reshape(view.shape)
