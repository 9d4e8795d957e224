"""A matrix times features, row by row: all of the matrix, or only what is not zero."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import WORDS, V

NAME = "linear"

ARGUMENTS = Record(
    addresses=("source", "target", "bias", "values", "offsets", "ends"),
    numbers=("rows", "features", "row_size"),
)
"""float32 [features], [rows], [rows]. Dense: float32 [rows, row_size / 4], zero behind the features. Sparse: float32
[entries] and the byte offset int32 [entries] of each one's feature, a multiple of 16 entries for each row; int32
[rows + 1], 16ths of entries before each row.

Rows of the matrix; features; bytes of a row, all vectors of 16 (dense).
"""


@dataclass(frozen=True)
class LinearKernel:
    """activation(weight @ features + bias)."""

    sparse: bool
    activation: Activation

    def ir(self) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over tasks: 16 rows each."""
        f = Function.over_tasks(NAME, ARGUMENTS)
        with f.tasks() as task:
            first = f.times(task, LANES)
            end = f.smaller(f.plus(first, LANES), f["rows"])
            with f.loop(first, end, values=[(V, "zeroinitializer")]) as row:
                products = self._nonzeros(f, row.index) if self.sparse else self._all(f, row.index)
                lane = f.bits(row.index, LANES - 1)
                row.next = [f.code.with_lane(row.values[0], lane, f.code.sum(products))]
            mask = f.code.first_lanes(f.minus(end, first))
            bias = f.load_lanes(f.at(f["bias"], (first, 4)), mask)
            result = f.activated(self.activation, f.code.add(row.values[0], bias))
            f.store_lanes(result, f.at(f["target"], (first, 4)), mask)
        return f.text(self.activation)

    def _nonzeros(self, f: Function, row: str) -> str:
        """Return sixteen sums whose sum is the row's, of what is not zero."""
        bounds = f.at(f["ends"], (row, 4))
        first, last = f.load_index(bounds), f.load_index(f.at(bounds, 4))
        with f.loop(first, last, values=[(V, "zeroinitializer")]) as loop:
            weights = f.load(f.at(f["values"], (loop.index, VECTOR)), alignment=VECTOR)
            offsets = f.load(f.at(f["offsets"], (loop.index, VECTOR)), WORDS, VECTOR)
            features = f.load_scattered(f["source"], offsets)
            loop.next = [f.code.multiply_add(weights, features, loop.values[0])]
        return loop.values[0]

    def _all(self, f: Function, row: str) -> str:
        """Return such sums of a dense row, four vectors at a time so that none waits for the one before."""
        weights = f.at(f["values"], (row, f["row_size"]))
        whole = f.bits(f["features"], -4 * LANES)
        with f.loop(0, whole, 4 * LANES, [(V, "zeroinitializer")] * 4) as loop:
            place = f.times(loop.index, 4)
            for number in range(4):
                at = f.plus(place, VECTOR * number)
                products = f.load(f.at(weights, at)), f.load(f.at(f["source"], at))
                loop.next.append(f.code.multiply_add(*products, loop.values[number]))
        pairs = [f.code.add(*loop.values[:2]), f.code.add(*loop.values[2:])]
        with f.loop(whole, f["features"], LANES, [(V, f.code.add(*pairs))]) as rest:
            place = f.times(rest.index, 4)
            mask = f.code.first_lanes(f.minus(f["features"], rest.index))
            features = f.load_lanes(f.at(f["source"], place), mask)
            rest.next = [f.code.multiply_add(f.load(f.at(weights, place)), features, rest.values[0])]
        return rest.values[0]
