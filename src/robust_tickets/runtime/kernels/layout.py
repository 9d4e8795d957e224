"""How a feature map lies in memory: sixteen blocks of the image side by side, one in each lane.

A map of height H and width W is cut into a grid of rows x columns = 16 blocks. Vector (y, x) of a channel holds pixel
(y, x) of all sixteen blocks, so that every tap of a convolution, at any offset and any stride, is one aligned
load. Around the blocks lies a halo: vectors whose lanes are pixels of neighbouring blocks, or zeros outside of the
map. In memory, rows come first, then channels, then columns: what a tile of the output reads of all channels is
contiguous but for the kernel's height.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

LANES = 16
VECTOR = 4 * LANES
"""Bytes of a vector: sixteen float32."""

GRIDS = ((4, 4), (8, 2), (16, 1), (2, 8), (1, 16))
"""Rows and columns of blocks."""


@dataclass(frozen=True)
class Halo:
    """Vectors around the blocks, on each side."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def __or__(self, other: "Halo") -> "Halo":
        """Return what holds both."""
        return Halo(
            max(self.top, other.top),
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return any((self.top, self.left, self.bottom, self.right))


@dataclass(frozen=True)
class Layout:
    """Where the pixels of a map [channels, height, width] lie."""

    channels: int
    height: int
    width: int
    grid: tuple[int, int]
    """Rows and columns of blocks; their product is 16."""
    block: tuple[int, int]
    """Rows and columns of vectors in a block; the grid of blocks may be larger than the map."""
    halo: Halo = Halo()

    @property
    def rows(self) -> int:
        """Return rows of vectors, halo included."""
        return self.halo.top + self.block[0] + self.halo.bottom

    @property
    def pitch(self) -> int:
        """Return vectors from one channel to the next: an odd number, so that columns spread over cache sets."""
        return (self.halo.left + self.block[1] + self.halo.right) | 1

    @property
    def channel_stride(self) -> int:
        """Return bytes from one channel to the next in a row."""
        return self.pitch * VECTOR

    @property
    def row_stride(self) -> int:
        """Return bytes from one row of vectors to the next."""
        return self.channels * self.channel_stride

    @property
    def size(self) -> int:
        """Return bytes of the whole map."""
        return self.rows * self.row_stride

    @property
    def origin(self) -> int:
        """Return bytes from the start to vector (0, 0) of channel 0, the first that is not halo."""
        return self.halo.top * self.row_stride + self.halo.left * VECTOR

    def offset(self, y: int, x: int, channel: int = 0) -> int:
        """Return bytes from `origin` to vector (y, x) of a channel; negative within the halo."""
        return y * self.row_stride + channel * self.channel_stride + x * VECTOR

    @cached_property
    def full(self) -> bool:
        """Return whether every lane of every block is a pixel of the map."""
        (rows, columns), (high, wide) = self.grid, self.block
        return rows * high == self.height and columns * wide == self.width

    @property
    def covers(self) -> bool:
        """Return whether every pixel of the map is in a block, and none in the halo alone."""
        (rows, columns), (high, wide) = self.grid, self.block
        return rows * high >= self.height and columns * wide >= self.width

    def pixels(self) -> NDArray[np.int32]:
        """Return the pixel y * width + x in each lane, int32 [rows, left + block + right, 16]; -1 outside."""
        (_, columns), (high, wide), halo = self.grid, self.block, self.halo
        lane = np.arange(LANES)
        y = np.arange(-halo.top, high + halo.bottom)[:, None, None] + (lane // columns) * high
        x = np.arange(-halo.left, wide + halo.right)[None, :, None] + (lane % columns) * wide
        inside = (y >= 0) & (y < self.height) & (x >= 0) & (x < self.width)
        return np.where(inside, y * self.width + x, -1).astype(np.int32)

    def aligned(self, other: "Layout") -> bool:
        """Return whether the same vectors hold the same pixels, halo apart."""
        return (self.grid, self.block) == (other.grid, other.block)

    def with_halo(self, halo: Halo) -> "Layout":
        """Return the same blocks with at least such a halo."""
        return replace(self, halo=self.halo | halo)


def best_layout(channels: int, height: int, width: int, *, compact: bool = False) -> Layout:
    """Return the layout whose blocks cover the map with the fewest vectors.

    Among equals, a square grid without gaps: halving the map leaves it aligned; else wide blocks: their rows are
    contiguous; or, if it is to be compact, blocks with little around them: less halo is to be filled.
    """
    choices = [
        Layout(channels, height, width, (rows, columns), (-(-height // rows), -(-width // columns)))
        for rows, columns in GRIDS
    ]

    def cost(one: Layout) -> tuple[int, bool, int]:
        around = sum(one.block) if compact else one.block[0]
        return prod(one.block), not (one.full and one.grid == GRIDS[0]), around

    return min(choices, key=cost)
