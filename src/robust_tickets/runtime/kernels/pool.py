"""The largest number, or the sum, of what a window covers."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V, number

NAME = "pool"

ARGUMENTS = Record(
    addresses=("source", "target", "offsets", "borders", "masks", "factors"),
    numbers=("channels", "columns", "source_row", "source_channel", "source_step", "target_row", "target_channel"),
)
"""Source at the first window's first tap, target; int64 byte offsets [taps]; int32 [rows, columns], the number of
a window that reaches beyond the map, or -1; uint16 [windows, taps], the lanes of each tap that are pixels; float32
[rows, columns, 16] that sums are multiplied by.

Channels; vectors in a row of the target; bytes in the source from one row, channel and column of the target to the
next, and in the target.
"""


@dataclass(frozen=True)
class PoolKernel:
    """One kind of pooling, with a number of taps."""

    largest: bool
    """Else sums times factors; then what lies beyond the map must be zero."""
    taps: int

    def ir(self) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = row * channels + channel."""
        f = Function.over_tasks(NAME, ARGUMENTS)
        with f.tasks() as task:
            row, channel = f.split(task, f["channels"])
            source = f.at(f["source"], (row, f["source_row"]), (channel, f["source_channel"]))
            target = f.at(f["target"], (row, f["target_row"]), (channel, f["target_channel"]))
            vectors = f.times(row, f["columns"])
            with f.loop(0, f["columns"]) as column:
                window = f.at(source, (column.index, f["source_step"]))
                vector = f.plus(vectors, column.index)
                if self.largest:
                    result = self._largest(f, window, vector)
                else:
                    factor = f.load(f.at(f["factors"], (vector, VECTOR)))
                    result = f.code.multiply(self._sum(f, window), factor)
                f.store(result, f.at(target, (column.index, VECTOR)), alignment=VECTOR)
        return f.text()

    def _tap(self, f: Function, window: str, tap: str) -> str:
        return f.load(f.at(window, f.load(f.at(f["offsets"], (tap, 8)), "i64")), alignment=VECTOR)

    def _sum(self, f: Function, window: str) -> str:
        with f.loop(0, self.taps, values=[(V, "zeroinitializer")]) as loop:
            loop.next = [f.code.add(loop.values[0], self._tap(f, window, loop.index))]
        return loop.values[0]

    def _largest(self, f: Function, window: str, vector: str) -> str:
        """Return the largest pixel in each lane; only a window at the map's border looks at the masks."""
        line, lowest = f.code.line, number(float("-inf"))
        border = f.load(f.at(f["borders"], (vector, 4)), "i32")
        inside = line(f"icmp slt i32 {border}, 0")
        taps = f.choose(inside, self.taps, 0)
        with f.loop(0, taps, values=[(V, lowest)]) as loop:
            loop.next = [self._larger(f, self._tap(f, window, loop.index), loop.values[0])]
        masks = f.at(f["masks"], (line(f"zext i32 {border} to i64"), 2 * self.taps))
        with f.loop(taps, self.taps, values=[(V, loop.values[0])]) as rest:
            mask = f.load_mask(f.at(masks, (rest.index, 2)))
            pixels = f.code.where(mask, self._tap(f, window, rest.index), lowest)
            rest.next = [self._larger(f, pixels, rest.values[0])]
        return rest.values[0]

    def _larger(self, f: Function, left: str, right: str) -> str:
        return f.code.where(f.code.line(f"fcmp ogt {V} {left}, {right}"), left, right)
