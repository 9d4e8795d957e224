"""A convolution as a step: its weights packed for a kernel, its map cut into tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels import convolution, driver
from robust_tickets.runtime.kernels.convolution import RESIDUAL, ConvolutionKernel
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.steps.step import KernelStep, address
from robust_tickets.runtime.steps.winograd import possible_side, winograd_steps


@dataclass(frozen=True, order=True)
class Tiling:
    """How a convolution is cut up: what autotuning chooses."""

    rows: int
    """R: output channels that share positions; a row of zeros is multiplied where only some have a weight."""
    height: int
    """Rows of vectors in a tile."""
    width: int
    """Vectors in a row of a tile."""
    channels: int
    """Input channels that a tile works on at a time; at least as many as there are: all."""
    winograd: int = 0
    """Side of the output tiles that Winograd's algorithm computes at a time, the rest being its own affair;
    0: directly."""


_TASKS = 6


def convolution_steps(command: Convolve, tiling: Tiling, arena: int, target: Target, threads: int) -> list[KernelStep]:
    """Return a convolution as steps in order.

    Args:
        command: what is convolved.
        tiling: how it is cut up.
        arena: address of the arena.
        target: what to compile for.
        threads: how many should find work.
    """
    if command.edges:
        return [direct_step(command, tiling, arena, target, command.edges)]
    if tiling.winograd and tiling.winograd == possible_side(command):
        return winograd_steps(command, tiling.winograd, arena, target)
    outputs, tiles = command.weight.shape[0], len(_tiles(command, tiling)[0])
    # So many tasks a thread that none waits long for the last one.
    pieces = -(-_TASKS * threads // tiles) if threads > 1 else 1
    blocks = outputs // tiling.rows
    pieces = max(1, min(pieces, blocks))
    edges = [blocks * one // pieces * tiling.rows for one in range(pieces)]
    return [direct_step(command, tiling, arena, target, [*edges, outputs])]


def direct_step(command: Convolve, tiling: Tiling, arena: int, target: Target, edges: Sequence[int]) -> KernelStep:
    """Return a convolution without detours, ready to be called.

    Args:
        command: what is convolved.
        tiling: how it is cut up.
        arena: address of the arena.
        target: what to compile for.
        edges: output channels from 0 to how many there are, each a multiple of the tiling's rows but for the last: what
            lies between two is tasks of its own.
    """
    source, out, residual = command.source, command.target, command.residual
    stride = command.window.stride
    tiles, shapes = _tiles(command, tiling)
    other = residual or out
    keep: list[object] = [tiles]
    chunks = []
    for first, last, rows in _segments(edges, tiling.rows):
        start = _origin(edges, first)
        modules = [
            compile(ConvolutionKernel(rows, high, wide, stride[1], command.activation, target.vector_bits).ir(), target)
            for high, wide in shapes
        ]
        kernels = np.array([module.address(convolution.NAME) for module in modules], np.int64)
        bias = np.ascontiguousarray(command.bias[first:last])
        packed = pack(command, first, last, rows, tiling.channels, edges)
        slices = np.array([driver.SLICE.pack(entries=address(entries), ends=address(ends)) for entries, ends in packed])
        chunks.append(
            driver.CHUNK.pack(
                bias=address(bias),
                kernels=address(kernels),
                slices=address(slices),
                output=(first - start * (out.channels < edges[-1])) * out.layout.channel_stride,
                residual=(first - start * (other.channels < edges[-1])) * other.layout.channel_stride,
                blocks=(last - first) // rows,
            )
        )
        keep += [modules, kernels, bias, packed, slices]
    table = np.array(chunks)
    strides = convolution.STRIDES.pack(
        input_row=stride[0] * source.layout.row_stride,
        output_row=out.layout.row_stride,
        output_channel=out.layout.channel_stride,
        residual_row=other.layout.row_stride,
        residual_channel=other.layout.channel_stride,
    )
    walk = compile(driver.ir(), target)
    top, left, _, _ = command.window.padding
    call = driver.ARGUMENTS.pack(
        input=source.address(arena) + source.layout.offset(-top, -left),
        output=out.address(arena),
        residual=residual.address(arena) if residual is not None else 0,
        strides=address(strides),
        tiles=address(tiles),
        chunks=address(table),
        tile_count=len(tiles),
        slice_count=_slices(command, tiling.channels),
        extra=RESIDUAL if residual is not None else 0,
    )
    keep += [table, strides, walk]
    flops = 2 * command.weight.count * out.layout.height * out.layout.width
    tasks = len(tiles) * len(table)
    before = (*(len(tiles) * one for one in range(len(edges) - 1)), tasks)
    return KernelStep(command.name, "convolution", walk.address(driver.NAME), call, tasks, tuple(keep), flops, before)


def pack(
    command: Convolve, first: int, last: int, rows: int, channels: int, edges: Sequence[int] = ()
) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Return the weights of output channels [first, last) as the kernel reads them.

    Args:
        command: the convolution.
        first: an output channel.
        last: one more than the last; last - first is a multiple of `rows`.
        rows: output channels that share positions.
        channels: input channels in a slice.
        edges: where the output is cut, if the source holds one piece of it.

    Returns:
        For each slice: entries int32 [n, 1 + rows], the byte offset from the tile's input and the bits of float32
        values; and int32 [blocks], the number of entries up to the end of each block.
    """
    outputs, group, high, wide = command.weight.shape
    positions, values = command.weight.nonzeros()
    size = group * high * wide
    begin, end = np.searchsorted(positions, (first * size, last * size))
    positions, values = positions[begin:end], values[begin:end]
    out, rest = np.divmod(positions, size)
    inner, tap = np.divmod(rest, high * wide)
    y, x = np.divmod(tap, wide)
    channel = inner
    if command.groups > 1:
        channel = inner + out // (outputs // command.groups) * group
    if command.source.channels < command.inputs:
        channel = channel - _origin(edges, first)
    layout, dilation = command.source.layout, command.window.dilation
    offset = channel * layout.channel_stride + y * (dilation[0] * layout.row_stride) + x * (dilation[1] * VECTOR)
    blocks = (last - first) // rows
    block, row = np.divmod(out - first, rows)
    count = _slices(command, channels)
    part = channel // channels
    key = part * blocks + block
    if rows == 1:
        if count > 1:
            order = np.argsort(key.astype(np.int32), kind="stable")
            key, offset, values = key[order], offset[order], values[order]
        entries = np.empty((len(key), 2), np.int32)
        entries[:, 0] = offset
        entries[:, 1] = values.view(np.int32)
    else:
        both, inverse = np.unique(key << 32 | offset, return_inverse=True)
        entries = np.zeros((len(both), 1 + rows), np.int32)
        entries[:, 0] = both & 0xFFFFFFFF
        entries[inverse, 1 + row] = values.view(np.int32)
        key = both >> 32
    bounds = np.searchsorted(key, np.arange(count * blocks + 1))
    parts = []
    for one in range(count):
        ends = bounds[one * blocks : (one + 1) * blocks + 1]
        parts.append((np.ascontiguousarray(entries[ends[0] : ends[-1]]), (ends[1:] - ends[0]).astype(np.int32)))
    return parts


def _origin(edges: Sequence[int], channel: int) -> int:
    """Return the first channel of the piece that a channel is in."""
    return max(edge for edge in edges if edge <= channel)


def _slices(command: Convolve, channels: int) -> int:
    """Return how many slices of so many input channels there are."""
    return max(1, -(-command.source.channels // channels))


def _segments(edges: Sequence[int], rows: int) -> list[tuple[int, int, int]]:
    """Return (first, last, R) of runs of output channels: full blocks between edges, and what is left over."""
    full = edges[-1] // rows * rows
    runs = [(first, min(last, full), rows) for first, last in pairwise(edges) if first < full]
    return [*runs, *([(full, edges[-1], 1)] if full < edges[-1] else [])]


def _tiles(command: Convolve, tiling: Tiling) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Return the tiles of the output's blocks, and the shapes that they have."""
    out = command.target
    source, residual = command.source.layout, command.residual
    other = residual.layout if residual is not None else out.layout
    down, right = command.window.stride
    shapes: dict[tuple[int, int], int] = {}
    tiles = []
    for y, high in _cuts(out.layout.block[0], tiling.height):
        for x, wide in _cuts(out.layout.block[1], tiling.width):
            kind = shapes.setdefault((high, wide), len(shapes))
            tiles.append(
                driver.TILE.pack(
                    input=source.offset(down * y, right * x),
                    output=out.layout.offset(y, x),
                    residual=other.offset(y, x),
                    kind=kind,
                )
            )
    return np.array(tiles), list(shapes)


def _cuts(length: int, piece: int) -> list[tuple[int, int]]:
    """Return (start, size) of pieces that are as equal as can be, none larger than `piece`."""
    count = -(-length // piece)
    edges = [length * one // count for one in range(count + 1)]
    return [(start, stop - start) for start, stop in pairwise(edges)]
