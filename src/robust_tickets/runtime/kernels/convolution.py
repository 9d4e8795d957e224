"""The kernel of the engine: rows of a sparse matrix times a tile of vectors that stays in registers.

A block of R output channels is accumulated over a tile of the map, th x tw vectors of sixteen lanes. Its weights are
entries {offset of an input vector, R values}: for each, the tile's input vectors at that offset are multiplied by
each value. What the offset means is the planner's affair: kernel position, dilation and group are all in it, so that
one kernel serves convolutions of every shape, and fully connected layers, at every density.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V

NAME = "convolution"

PARAMETERS = Record(
    addresses=("input", "output", "residual", "entries", "ends", "bias", "strides"), numbers=("blocks", "mode")
)
"""The tile in input, output and residual; entries of all row blocks one after the other; int32 [blocks], entries up to
the end of each block; float32 bias [R * blocks]; a record of `STRIDES`. Number of row blocks; mode bits."""

STRIDES = Record(numbers=("input_row", "output_row", "output_channel", "residual_row", "residual_channel"))
"""Bytes."""

FIRST, LAST, RESIDUAL = 1, 2, 4
"""Bits of `mode`: start from the bias instead of the output; activate at the end; start from the residual as well.

The residual comes first so that it may lie where the output is to lie.
"""


@dataclass(frozen=True, order=True)
class ConvolutionKernel:
    """One member of the family of kernels."""

    rows: int
    """R: output channels that share their entries' positions."""
    height: int
    """Rows of vectors in the tile, at most 4."""
    width: int
    """Vectors in a row of the tile."""
    step: int
    """Input vectors from one column of the tile to the next: the convolution's horizontal stride."""
    activation: Activation
    vector_bits: int
    """Width of the processor's registers."""

    @property
    def entry_size(self) -> int:
        """Return bytes of an entry: an int32 offset and R float32."""
        return 4 + 4 * self.rows

    @property
    def cells(self) -> int:
        """Return how many sums are held in registers."""
        return self.rows * self.height * self.width

    def ir(self) -> str:
        """Return the LLVM IR text of void(`PARAMETERS`)."""
        # Only the residual may be the output, or share its memory.
        alone = {name: "ptr noalias" for name in PARAMETERS.addresses if name not in ("output", "residual")}
        f = Function(NAME, PARAMETERS.kinds | alone)
        strides = f.fields(f["strides"], STRIDES)
        inputs = [f.at(f["input"], (strides["input_row"], y)) for y in range(self.height)]
        first, last, added = (f.different(f.bits(f["mode"], bit), 0) for bit in (FIRST, LAST, RESIDUAL))
        carried = [("ptr", f[name]) for name in ("entries", "output", "residual", "bias")]
        with f.loop(0, f["blocks"], values=carried) as block:
            entries, output, residual, bias = block.values
            end = f.at(f["entries"], (f.load_index(f.at(f["ends"], (block.index, 4))), self.entry_size))
            places = self._places(f, output, strides["output_row"], strides["output_channel"])

            def fresh() -> list[str]:
                biases = self._biases(f, bias)

                def with_residual() -> list[str]:
                    row, channel = strides["residual_row"], strides["residual_channel"]
                    more = self._loaded(f, self._places(f, residual, row, channel))
                    return [f.code.add(*pair) for pair in zip(biases, more, strict=True)]

                return f.either(added, with_residual, lambda: biases)

            start = f.either(first, fresh, lambda: self._loaded(f, places))
            sums = self._accumulated(f, entries, end, inputs, start)

            def finished() -> list[str]:
                return [f.activated(self.activation, one) for one in sums]

            for value, place in zip(f.either(last, finished, lambda: sums), places, strict=True):
                f.store(value, place, alignment=VECTOR)
            block.next = [
                end,
                f.at(output, (strides["output_channel"], self.rows)),
                f.at(residual, (strides["residual_channel"], self.rows)),
                f.at(bias, 4 * self.rows),
            ]
        return f.text(self.activation)

    def _places(self, f: Function, block: str, row: str, channel: str) -> list[str]:
        """Return the addresses of a row block's vectors, channel by channel, row by row."""
        rows = [f.at(block, (channel, r), (row, y)) for r in range(self.rows) for y in range(self.height)]
        return [f.at(one, VECTOR * x) for one in rows for x in range(self.width)]

    def _loaded(self, f: Function, places: list[str]) -> list[str]:
        return [f.load(place, alignment=VECTOR) for place in places]

    def _biases(self, f: Function, bias: str) -> list[str]:
        """Return the bias of each sum's channel."""
        rows = [f.load_splat(f.at(bias, 4 * r)) for r in range(self.rows)]
        return [one for one in rows for _ in range(self.height * self.width)]

    def _accumulated(self, f: Function, entries: str, end: str, inputs: list[str], sums: Sequence[str]) -> list[str]:
        """Return sums with all entries of a block added."""
        registers = self.cells * 8 * VECTOR // self.vector_bits
        if registers >= 8:
            return self._looped(f, entries, end, inputs, [sums])
        # With so few a processor would wait for the last multiplication of the same sum: take two sets of sums, two
        # entries at a time, once their number is even.
        bounds = [f.code.line(f"ptrtoint ptr {one} to i64") for one in (end, entries)]
        count = f.code.line(f"udiv exact i64 {f.minus(*bounds)}, {self.entry_size}")
        entries, *sums = f.either(
            f.different(f.bits(count, 1), 0),
            lambda: [f.at(entries, self.entry_size), *self._entry(f, entries, inputs, sums)],
            lambda: [entries, *sums],
            ["ptr", *[V] * self.cells],
        )
        both = self._looped(f, entries, end, inputs, [sums, ["zeroinitializer"] * self.cells])
        return [f.code.add(one, other) for one, other in zip(both[: self.cells], both[self.cells :], strict=True)]

    def _looped(
        self, f: Function, entries: str, end: str, inputs: list[str], sets: Sequence[Sequence[str]]
    ) -> list[str]:
        """Return sets of sums, one after the other, to which as many entries are added at a time."""
        values = [(V, one) for sums in sets for one in sums]
        with f.loop(entries, end, len(sets) * self.entry_size, values, kind="ptr", unroll=False) as loop:
            for number in range(len(sets)):
                sums = loop.values[number * self.cells : (number + 1) * self.cells]
                loop.next += self._entry(f, f.at(loop.index, number * self.entry_size), inputs, sums)
        return loop.values

    def _entry(self, f: Function, entry: str, inputs: list[str], sums: Sequence[str]) -> list[str]:
        """Return sums with one entry's values times input vectors added."""
        offset = f.load_index(entry)
        rows = [f.at(row, offset) for row in inputs]
        vectors = self._loaded(f, [f.at(row, VECTOR * self.step * x) for row in rows for x in range(self.width)])
        added = []
        for r in range(self.rows):
            weight = f.load_splat(f.at(entry, 4 + 4 * r))
            mine = sums[r * len(vectors) : (r + 1) * len(vectors)]
            added += [f.code.multiply_add(weight, vector, one) for vector, one in zip(vectors, mine, strict=True)]
        return added
