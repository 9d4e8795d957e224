"""Stretches of the engine's one arena, shared by values that are never alive together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels.layout import Layout

ALIGNMENT = 64
_GUARD = 256
"""Bytes left free behind each buffer, so that a vector may be read past the end of a row of features."""


@dataclass(eq=False)
class Buffer:
    """Some bytes that hold one value, or several that are concatenated, from their first writing to their last use."""

    size: int
    """Bytes."""
    born: int = -1
    """Index of the first command that writes it."""
    dies: int = -1
    """Index of the last command that reads or writes it."""
    offset: int = -1
    """Bytes from the start of the arena, a multiple of 64."""

    def used(self, index: int) -> None:
        """Note that a command uses it."""
        self.born = index if self.born < 0 else min(self.born, index)
        self.dies = max(self.dies, index)


@dataclass(eq=False)
class MapView:
    """Some channels of a map in blocks."""

    buffer: Buffer
    layout: Layout
    """Of the whole buffer."""
    first: int
    """The first of the channels."""
    channels: int

    def address(self, arena: int) -> int:
        """Return the address of vector (0, 0) of the first channel, given the arena's."""
        layout = self.layout
        return arena + self.buffer.offset + layout.origin + self.first * layout.channel_stride

    @property
    def start(self) -> int:
        """Return bytes from the buffer's start to the very first vector of the first channel, halo included."""
        return self.first * self.layout.channel_stride


@dataclass(eq=False)
class PlainView:
    """A value in row-major order: features, or a map as an image library holds it."""

    buffer: Buffer
    shape: tuple[int, ...]

    def address(self, arena: int) -> int:
        """Return the address of the first number, given the arena's."""
        return arena + self.buffer.offset


View = MapView | PlainView


@dataclass
class Arena:
    """Memory for all buffers, aligned to cache lines."""

    bytes: NDArray[np.uint8] = field(repr=False)

    @property
    def address(self) -> int:
        """Return where it starts."""
        return self.bytes.ctypes.data

    @classmethod
    def holding(cls, buffers: Sequence[Buffer]) -> "Arena":
        """Return an arena with every buffer placed so that no two that are alive together overlap."""
        placed: list[Buffer] = []
        end = 0
        for buffer in sorted(buffers, key=lambda one: -one.size):
            position = 0
            for other in sorted(placed, key=lambda one: one.offset):
                if other.dies < buffer.born or buffer.dies < other.born:
                    continue
                if position + _room(buffer) <= other.offset:
                    break
                position = max(position, other.offset + _room(other))
            buffer.offset = position
            placed.append(buffer)
            end = max(end, position + _room(buffer))
        return cls(aligned(end))


def aligned(size: int) -> NDArray[np.uint8]:
    """Return zeros, uint8 [size], that start at a multiple of 64 bytes."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def _room(buffer: Buffer) -> int:
    return -(-(buffer.size + _GUARD) // ALIGNMENT) * ALIGNMENT
