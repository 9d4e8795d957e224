"""Which tilings a convolution may have, and which are likely to be fast."""

from collections.abc import Iterator
from math import inf

import numpy as np

from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.steps.convolve import Tiling
from robust_tickets.runtime.steps.winograd import SIDES

FIRST_LEVEL = 32 * 1024
"""Bytes of the first-level data cache that are counted on."""

_BLOCK_OVERHEAD = 14
"""Cycles to begin and end a row block, a mispredicted branch above all."""
_ENTRY_OVERHEAD = 1.2
"""Cycles of an entry besides its multiplications."""
_MISS = 1.2
"""Cycles more for an input vector from the second-level cache."""


def likely(command: Convolve, target: Target, count: int) -> list[Tiling]:
    """Return up to `count` tilings of different tiles, the best estimate first, each with its best slices."""
    entries = {rows: _entries(command, rows) for rows in _row_choices(command)}
    best: dict[tuple[int, int, int], tuple[float, Tiling]] = {}
    for tiling in _all(command, target, tuple(entries)):
        tile = (tiling.rows, tiling.height, tiling.width)
        best[tile] = min(best.get(tile, (inf, tiling)), (_cycles(command, tiling, entries), tiling))
    return [tiling for _, tiling in sorted(best.values())[:count]]


def slices(command: Convolve) -> list[int]:
    """Return the numbers of input channels that a tile may work on at a time."""
    if command.groups > 1:
        return [command.inputs]
    inputs = command.source.channels
    return sorted({*(one for one in (8, 16, 32, 64, 128, 256) if one < inputs), inputs})


def is_possible(command: Convolve, tiling: Tiling) -> bool:
    """Return whether a tiling is of those that might have been measured, on some processor."""
    high, wide = _largest_tile(command)
    return (
        tiling.rows in _row_choices(command)
        and 1 <= tiling.height <= high
        and 1 <= tiling.width <= wide
        and tiling.channels in slices(command)
        and tiling.winograd in (0, *SIDES)
    )


def _largest_tile(command: Convolve) -> tuple[int, int]:
    high, wide = command.target.layout.block
    return min(4, high), min(16, wide)


def _row_choices(command: Convolve) -> tuple[int, ...]:
    outputs = command.weight.shape[0]
    return tuple(rows for rows in (1, 2, 4, 8) if rows <= outputs)


def _entries(command: Convolve, rows: int) -> int:
    """Return how many entries there are if this many output channels share positions."""
    if rows == 1:
        return command.weight.count
    outputs, group, high, wide = command.weight.shape
    positions, _ = command.weight.nonzeros()
    size = group * high * wide
    full = outputs // rows * rows
    out, rest = np.divmod(positions, size)
    if command.groups > 1:
        # Groups are counted from the first of the block: of thousands there are few in each.
        each = outputs // command.groups
        rest = rest + (out // each - out // rows * rows // each) * size
    inside = out < full
    width = int(rest.max(initial=0)) + 1
    marks = np.zeros((full // rows, width), bool)
    marks[out[inside] // rows, rest[inside]] = True
    return int(marks.sum()) + int((~inside).sum())


def _all(command: Convolve, target: Target, rows: tuple[int, ...]) -> Iterator[Tiling]:
    high, wide = _largest_tile(command)
    registers = target.held_vectors
    pieces = slices(command)
    for r in rows:
        for y in range(1, high + 1):
            for x in range(1, wide + 1):
                sums = r * x * y
                # A shared row of inputs stays in registers, with one weight; one row takes its inputs from memory.
                if sums + (1 if r == 1 else x * y + 1) > registers:
                    continue
                for channels in pieces:
                    yield Tiling(r, y, x, channels)


def _cycles(command: Convolve, tiling: Tiling, entries: dict[int, int]) -> float:
    """Return an estimate of the cycles of a convolution."""
    if tiling.rows not in entries:
        return inf
    out, source, window = command.target.layout, command.source, command.window
    pieces = [-(-length // size) for length, size in zip(out.block, (tiling.height, tiling.width), strict=True)]
    tiles = pieces[0] * pieces[1]
    vectors = out.block[0] * out.block[1] / tiles
    parts = -(-source.channels // tiling.channels)
    (high, wide), (down, right) = window.kernel, window.stride
    rows = (tiling.height - 1) * down + (high - 1) * window.dilation[0] + 1
    columns = (tiling.width - 1) * right + (wide - 1) * window.dilation[1] + 1
    reached = command.weight.shape[1] if command.groups > 1 else min(tiling.channels, source.channels)
    region = reached * rows * columns * VECTOR
    missed = max(0.0, 1 - 0.8 * FIRST_LEVEL / region)
    multiply = max(tiling.rows * vectors, 4.0 if tiling.rows * vectors < 8 else 0.0)
    load = vectors * (1 + _MISS * missed) + 0.25 * tiling.rows
    entry = max(multiply, load) + _ENTRY_OVERHEAD
    blocks = command.weight.shape[0] / tiling.rows
    moved = (3 if parts > 1 else 2) * tiling.rows * vectors
    return tiles * (entries[tiling.rows] * entry + blocks * parts * (moved + _BLOCK_OVERHEAD))
