"""A matrix times features, row by row: all of the matrix, or only what is not zero."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.text import V
from robust_tickets.runtime.kernels.vector_code import WORDS

NAME = "linear"

NUMBERS = ("rows", "features", "row_size")
"""Rows of the matrix; features; bytes of a row, all vectors of 16 (dense)."""
ADDRESSES = ("source", "target", "bias", "values", "offsets", "ends")
"""float32 [features], [rows], [rows]. Dense: float32 [rows, row_size / 4], zero behind the features. Sparse: float32
[entries] and the byte offset int32 [entries] of each one's feature, a multiple of 16 entries for each row; int32
[rows + 1], 16ths of entries before each row."""


@dataclass(frozen=True)
class LinearKernel:
    """activation(weight @ features + bias)."""

    sparse: bool
    activation: Activation

    def ir(self) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over tasks: 16 rows each."""
        f = Function(NAME, NUMBERS, ADDRESSES)
        with f.tasks() as task:
            first = f.times(task, "16")
            end = f.smaller(f.plus(first, "16"), f["rows"])
            with f.loop(first, end, values=[(V, "zeroinitializer")]) as row:
                total = f.sum(self._products(f, row.index))
                lane = f.code.line(f"and i64 {row.index}, 15")
                row.next = [f.code.line(f"insertelement {V} {row.values[0]}, float {total}, i64 {lane}")]
            mask = f.first_lanes(f.minus(end, first))
            bias = f.load_lanes(f.element(f["bias"], first, 4), mask)
            result = f.activated(self.activation, f.code.add(row.values[0], bias))
            f.store_lanes(result, f.element(f["target"], first, 4), mask)
        return f.text(self.activation) + (
            f"\ndeclare {V} @llvm.masked.gather.v16f32.v16p0(<16 x ptr>, i32, <16 x i1>, {V})" if self.sparse else ""
        )

    def _products(self, f: Function, row: str) -> str:
        """Return sixteen sums whose sum is the row's."""
        return self._nonzeros(f, row) if self.sparse else self._all(f, row)

    def _nonzeros(self, f: Function, row: str) -> str:
        bounds = f.element(f["ends"], row, 4)
        first, last = (f.code.line(f"zext i32 {f.load(f.at(bounds, at), 'i32')} to i64") for at in ("0", "4"))
        with f.loop(first, last, values=[(V, "zeroinitializer")]) as loop:
            weights = f.load(f.element(f["values"], loop.index, 64), alignment=64)
            offsets = f.load(f.element(f["offsets"], loop.index, 64), WORDS, 64)
            wide = f.code.line(f"zext {WORDS} {offsets} to <16 x i64>")
            places = f.code.line(f"getelementptr i8, ptr {f['source']}, <16 x i64> {wide}")
            every = "splat (i1 true)"
            features = f.code.line(
                f"call {V} @llvm.masked.gather.v16f32.v16p0(<16 x ptr> {places}, i32 4, <16 x i1> {every}, {V} poison)"
            )
            loop.next = [f.code.multiply_add(weights, features, loop.values[0])]
        return loop.values[0]

    def _all(self, f: Function, row: str) -> str:
        """Return the products of a dense row, four vectors at a time so that none waits for the one before."""
        weights = f.at(f["values"], f.times(row, f["row_size"]))
        whole = f.code.line(f"and i64 {f['features']}, -64")
        with f.loop("0", whole, 64, [(V, "zeroinitializer")] * 4) as loop:
            place = f.times(loop.index, "4")
            for number in range(4):
                at = f.plus(place, str(64 * number))
                products = f.load(f.at(weights, at)), f.load(f.at(f["source"], at))
                loop.next.append(f.code.multiply_add(*products, loop.values[number]))
        pairs = [f.code.add(*loop.values[:2]), f.code.add(*loop.values[2:])]
        with f.loop(whole, f["features"], 16, [(V, f.code.add(*pairs))]) as rest:
            place = f.times(rest.index, "4")
            mask = f.first_lanes(f.minus(f["features"], rest.index))
            features = f.load_lanes(f.at(f["source"], place), mask)
            rest.next = [f.code.multiply_add(f.load(f.at(weights, place)), features, rest.values[0])]
        return rest.values[0]
