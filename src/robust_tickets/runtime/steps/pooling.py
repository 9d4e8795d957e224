"""Pooling as steps: over windows, and over whole maps."""

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels import average, pool
from robust_tickets.runtime.kernels.layout import LANES, VECTOR, Layout
from robust_tickets.runtime.kernels.pool import PoolKernel
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Average, Pool
from robust_tickets.runtime.steps.step import KernelStep, address


def pool_step(command: Pool, arena: int, target: Target) -> KernelStep:
    """Return the step that pools windows."""
    view, out = command.source, command.target.layout
    source, window = view.layout, command.window
    high, wide = window.kernel
    top, left, _, _ = window.padding
    down, right = window.stride
    y, x = np.divmod(np.arange(high * wide), wide)
    offsets = y * window.dilation[0] * source.row_stride + x * window.dilation[1] * VECTOR
    rows, columns = out.block
    if command.kind == "max":
        borders, masks = _masks(command)
        factors = np.zeros(0, np.float32)
    else:
        assert command.divisors is not None
        borders, masks = np.zeros(0, np.int32), np.zeros(0, np.uint16)
        factors = _by_lane(out, np.float32(1) / command.divisors.reshape(1, -1))
    module = compile(PoolKernel(command.kind == "max", high * wide).ir(), target)
    call = pool.ARGUMENTS.pack(
        source=view.address(arena) + source.offset(-top, -left),
        target=command.target.address(arena),
        offsets=address(offsets),
        borders=address(borders),
        masks=address(masks),
        factors=address(factors),
        channels=view.channels,
        columns=columns,
        source_row=down * source.row_stride,
        source_channel=source.channel_stride,
        source_step=right * VECTOR,
        target_row=out.row_stride,
        target_channel=out.channel_stride,
    )
    keep = (offsets, borders, masks, factors, module)
    return KernelStep(command.name, f"{command.kind}_pool", module.address(pool.NAME), call, rows * view.channels, keep)


def average_step(command: Average, arena: int, target: Target) -> KernelStep:
    """Return the step that averages whole maps."""
    view, layout = command.source, command.source.layout
    means = len(command.weights)
    weights = _by_lane(layout, command.weights)
    module = compile(average.ir(), target)
    rows, columns = layout.block
    call = average.ARGUMENTS.pack(
        source=view.address(arena),
        target=command.target.address(arena),
        weights=address(weights),
        means=means,
        rows=rows,
        columns=columns,
        source_row=layout.row_stride,
        source_channel=layout.channel_stride,
    )
    return KernelStep(
        command.name, "average", module.address(average.NAME), call, view.channels * means, (weights, module)
    )


def _by_lane(layout: Layout, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values [n, pixels] where a layout has the pixels, float32 [n, rows, columns, 16]; 0 beyond the map."""
    pixels = _pixels(layout)
    return np.ascontiguousarray(np.where(pixels < 0, np.float32(0), values[:, pixels]), np.float32)


def _pixels(layout: Layout) -> NDArray[np.int32]:
    """Return the pixel in each lane of the blocks, without the halo, int32 [rows, columns, 16]."""
    (high, wide), halo = layout.block, layout.halo
    return layout.pixels()[halo.top : halo.top + high, halo.left : halo.left + wide]


def _masks(command: Pool) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Return the numbers of windows that reach beyond the map, and the lanes of their taps that do not.

    Returns:
        int32 [rows, columns], -1 for a window within the map; and uint16 [windows, taps].
    """
    source, out, window = command.source.layout, command.target.layout, command.window
    valid = source.pixels() >= 0
    (high, wide), (top, left, _, _), (rows, columns) = window.kernel, window.padding, out.block
    y, x = np.divmod(np.arange(high * wide), wide)
    y = source.halo.top - top + y * window.dilation[0] + np.arange(rows)[:, None, None] * window.stride[0]
    x = source.halo.left - left + x * window.dilation[1] + np.arange(columns)[None, :, None] * window.stride[1]
    # Lanes that are not pixels of the result may be anything.
    lanes = valid[y, x] | (_pixels(out) < 0)[:, :, None]
    bits = (lanes << np.arange(LANES)).sum(-1).astype(np.uint16)
    beyond = ~lanes.all(axis=(2, 3))
    borders = np.full((rows, columns), -1, np.int32)
    borders[beyond] = np.arange(beyond.sum())
    return borders, np.ascontiguousarray(bits[beyond])
