"""A convolution of each channel by itself, which makes the halo it needs in registers.

Pixels of neighbouring blocks are a permutation of a vector, and those outside of the map zeros in it: that costs less
than to write a halo and to read it again, above all where blocks are small: 32 vectors around 4. Rows at the upper and
lower edge of the blocks are code of their own; between them is a loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR
from robust_tickets.runtime.kernels.record import Record

NAME = "depthwise"

ARGUMENTS = Record(addresses=("input", "output", "weights", "bias", "places"), numbers=("input_row", "output_row"))
"""Vector (0, 0) of both maps; float32 [channels, kernel rows, kernel columns]; float32 [channels]; for each channel
bytes to where it is in input and output, int64 [channels, 2].

Bytes from row to row.
"""

MOST_WRITTEN_OUT = 4850
"""Multiplications of registers that are code each: as many take a second or two to compile, once for each machine."""

_FILLED, _BEGUN = 3.7, 2.0
"""Cost of filling a vector of a halo in memory, and of a sum besides its multiplications, which cost 1 there."""

_OWN = {512: (0.5, 0.5), 256: (0.8, 3.0), 128: (0.85, 4.0)}
"""Bits of a register -> cost of a multiplication here, and of a vector of the halo, in the same unit: measured."""


@dataclass(frozen=True)
class DepthwiseKernel:
    """One member of the family of kernels."""

    size: tuple[int, int]
    """Height and width of the input, in pixels."""
    grid: tuple[int, int]
    """Rows and columns of blocks, of input and output."""
    block: tuple[int, int]
    """Rows and columns of vectors in a block of the output; of the input they are `stride` times as many."""
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    """Rows above and columns to the left."""
    activation: Activation

    @property
    def covers(self) -> bool:
        """Return whether every pixel of the input is in a block of it."""
        return all(
            count * each * step >= size
            for count, each, step, size in zip(self.grid, self.block, self.stride, self.size, strict=True)
        )

    def written_out(self, vector_bits: int) -> int:
        """Return how many multiplications of registers of so many bits are code each."""
        rows = self.block[0]
        if looped := self._looped():
            rows -= looped[1] - looped[0] - self._tall
        return rows * self.block[1] * self.kernel[0] * self.kernel[1] * 512 // vector_bits

    def gains(self, density: float, vector_bits: int) -> bool:
        """Return whether it takes less time than to fill a halo and to multiply by the nonzeros alone.

        Args:
            density: fraction of the weights that are not zero.
            vector_bits: width of the processor's registers.
        """
        vectors = self.block[0] * self.block[1]
        reach = [(size - 1) * apart for size, apart in zip(self.kernel, self.dilation, strict=True)]
        read = [each * step for each, step in zip(self.block, self.stride, strict=True)]
        halo = (read[0] + reach[0]) * (read[1] + reach[1]) - read[0] * read[1]
        taps = self.kernel[0] * self.kernel[1]
        multiplied, moved = _OWN[vector_bits]
        return multiplied * vectors * taps + moved * halo < _FILLED * halo + vectors * (density * taps + _BEGUN)

    def ir(self, held: int) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over channels.

        Args:
            held: vectors that the processor's registers hold.
        """
        room = max(1, max(held // 2, held - self.kernel[1] - 3) // self._tall)
        f = Function.over_tasks(NAME, ARGUMENTS)
        with f.tasks() as channel:
            place = f.at(f["places"], (channel, 16))
            source = f.at(f["input"], f.load(place, "i64"))
            target = f.at(f["output"], f.load(f.at(place, 8), "i64"))
            weights = f.at(f["weights"], (channel, 4 * self.kernel[0] * self.kernel[1]))
            bias = f.load_splat(f.at(f["bias"], (channel, 4)))
            static = self._static()
            for start, stop in static:
                self._rows(f, source, target, weights, bias, range(start, stop), room)
            if looped := self._looped():
                start, stop = looped
                with f.loop(start, stop, self._tall, unroll=False) as row:
                    down = f.at(source, (f.times(f.minus(row.index, start), self.stride[0]), f["input_row"]))
                    below = f.at(target, (f.minus(row.index, start), f["output_row"]))
                    self._rows(f, down, below, weights, bias, range(start, start + self._tall), room)
        return f.text(self.activation)

    @property
    def _tall(self) -> int:
        """Rows of the output that are computed at once: of narrow blocks several."""
        return min(self.block[0], max(1, 14 // self.block[1]), 4)

    def _looped(self) -> tuple[int, int] | None:
        """Return (start, stop) of rows of the output that are a loop; None if there is none.

        They read no blocks above or below their own, and nothing outside of the map.
        """
        high, down = self.block[0] * self.stride[0], self.stride[0]
        first = max(0, -(-self.padding[0] // down))
        # The last row of the input that all blocks have, and the last row of the output that does not reach further.
        last = min(high, self.size[0] - (self.grid[0] - 1) * high) - 1
        last = (last + self.padding[0] - (self.kernel[0] - 1) * self.dilation[0]) // down
        rounds = (min(last, self.block[0] - 1) + 1 - first) // self._tall
        return (first, first + rounds * self._tall) if rounds > 1 else None

    def _static(self) -> list[tuple[int, int]]:
        """Return (start, stop) of rows of the output that are code each."""
        looped = self._looped() or (self.block[0], self.block[0])
        found = []
        for first, last in ((0, looped[0]), (looped[1], self.block[0])):
            edges = [*range(first, last, self._tall), last]
            found += list(pairwise(edges))
        return found

    def _rows(
        self, f: Function, source: str, target: str, weights: str, bias: str, rows: Sequence[int], room: int
    ) -> None:
        """Write rows of the output, so many columns at a time."""
        pieces = -(-self.block[1] // room)
        edges = [self.block[1] * piece // pieces for piece in range(pieces + 1)]
        for begin, end in pairwise(edges):
            sums = self._sums(f, source, weights, bias, rows, range(begin, end))
            for (row, column), value in sums.items():
                place = f.at(target, (f["output_row"], row), column * VECTOR)
                f.store(f.activated(self.activation, value), place, alignment=VECTOR)

    def _sums(
        self, f: Function, source: str, weights: str, bias: str, rows: Sequence[int], columns: Sequence[int]
    ) -> dict[tuple[int, int], str]:
        """Return the convolution of a tile, by rows and columns of the output."""
        sums = {(row, column): bias for row in rows for column in columns}
        taps: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            for tap in range(self.kernel[0]):
                taps.setdefault(row * self.stride[0] + tap * self.dilation[0] - self.padding[0], []).append((row, tap))
        reads: dict[int, list[tuple[int, int]]] = {}
        for column in columns:
            for tap in range(self.kernel[1]):
                at = column * self.stride[1] + tap * self.dilation[1] - self.padding[1]
                reads.setdefault(at, []).append((column, tap))
        for y in sorted(taps):
            factors = {
                (tap, across): f.load_splat(f.at(weights, 4 * (tap * self.kernel[1] + across)))
                for _, tap in taps[y]
                for across in range(self.kernel[1])
            }
            for x in sorted(reads):
                vector = self._vector(f, source, y, x)
                if vector is None:
                    continue
                for row, tap in taps[y]:
                    for column, across in reads[x]:
                        sums[row, column] = f.code.multiply_add(factors[tap, across], vector, sums[row, column])
        return sums

    def _vector(self, f: Function, source: str, y: int, x: int) -> str | None:
        """Return the pixels in row y and column x of each block, which may lie in others; None if all are outside."""
        high, wide = self.block[0] * self.stride[0], self.block[1] * self.stride[1]
        (_, columns), (height, width) = self.grid, self.size
        lanes = []
        for lane in range(LANES):
            row, column = lane // columns * high + y, lane % columns * wide + x
            inside = 0 <= row < height and 0 <= column < width
            lanes.append(row // high * columns + column // wide if inside else LANES)
        if min(lanes) == LANES:
            return None
        place = f.at(source, (f["input_row"], y % high), x % wide * VECTOR)
        vector = f.load(place, alignment=VECTOR)
        return vector if lanes == list(range(LANES)) else f.code.moved(vector, lanes)
