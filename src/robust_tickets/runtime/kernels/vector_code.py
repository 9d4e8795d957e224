"""Arithmetic on vectors of sixteen float32, written down line by line as LLVM IR."""

import math
import struct
from collections.abc import Sequence

import numpy as np

V, MASK, WORDS = "<16 x float>", "<16 x i1>", "<16 x i32>"
_LANES = "<" + ", ".join(f"i32 {lane}" for lane in range(16)) + ">"
_MAGIC = 12582912.0
"""1.5 * 2^23: added to a small number it leaves the nearest integer in the lowest bits."""
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
"""Their sum is ln 2; products of the first with integers up to 2^15 are exact."""
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
"""(e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, the highest power first (S. Moshier, Cephes)."""

DECLARATIONS = (
    f"declare {V} @llvm.fmuladd.v16f32({V}, {V}, {V})",
    f"declare {V} @llvm.fabs.v16f32({V})",
    f"declare {V} @llvm.copysign.v16f32({V}, {V})",
    f"declare {V} @llvm.sqrt.v16f32({V})",
    f"declare float @llvm.vector.reduce.fadd.v16f32(float, {V})",
)
"""What lines of `VectorCode` may call; a declaration that nothing uses costs nothing."""


def number(value: float) -> str:
    """Return a constant that every lane has, as LLVM writes it: sixteen hexadecimal digits of a double."""
    digits = struct.unpack("<Q", struct.pack("<d", float(np.float32(value))))[0]
    return f"splat (float 0x{digits:016X})"


class VectorCode:
    """Lines that compute values; every method appends to them and returns the name of its result.

    Operands are names with their "%", or constants. Where one is not a number neither is the result, in that lane.
    """

    def __init__(self, prefix: str) -> None:
        """Begin with no lines; names will begin with `prefix`, which no other name in the function may."""
        self.lines: list[str] = []
        self._prefix = prefix

    def line(self, instruction: str) -> str:
        """Append an instruction."""
        name = f"%{self._prefix}.{len(self.lines)}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def add(self, left: str, right: str) -> str:
        """Return left + right."""
        return self.line(f"fadd {V} {left}, {right}")

    def subtract(self, left: str, right: str) -> str:
        """Return left - right."""
        return self.line(f"fsub {V} {left}, {right}")

    def multiply(self, left: str, right: str) -> str:
        """Return left * right."""
        return self.line(f"fmul {V} {left}, {right}")

    def divide(self, left: str, right: str) -> str:
        """Return left / right."""
        return self.line(f"fdiv {V} {left}, {right}")

    def multiply_add(self, left: str, right: str, addend: str) -> str:
        """Return left * right + addend, fused if the processor can."""
        return self.line(f"call {V} @llvm.fmuladd.v16f32({V} {left}, {V} {right}, {V} {addend})")

    def square_root(self, x: str) -> str:
        """Return the square root."""
        return self.line(f"call {V} @llvm.sqrt.v16f32({V} {x})")

    def polynomial(self, x: str, coefficients: tuple[float, ...]) -> str:
        """Return a polynomial of x by Horner's rule, the coefficient of the highest power first."""
        result = number(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.multiply_add(result, x, number(coefficient))
        return result

    def negative(self, x: str) -> str:
        """Return -x."""
        return self.line(f"fneg {V} {x}")

    def absolute(self, x: str) -> str:
        """Return |x|."""
        return self.line(f"call {V} @llvm.fabs.v16f32({V} {x})")

    def with_sign(self, x: str, sign: str) -> str:
        """Return |x| with another value's sign."""
        return self.line(f"call {V} @llvm.copysign.v16f32({V} {x}, {V} {sign})")

    def at_least(self, x: str, bound: float) -> str:
        """Return x, or the bound where x is below it."""
        return self._replaced("olt", x, bound)

    def at_most(self, x: str, bound: float) -> str:
        """Return x, or the bound where x is above it."""
        return self._replaced("ogt", x, bound)

    def larger(self, x: str, other: str) -> str:
        """Return the larger of both, `other` where they cannot be compared."""
        return self.where(self.line(f"fcmp ogt {V} {x}, {other}"), x, other)

    def negative_lanes(self, x: str) -> str:
        """Return the mask of lanes where x < 0."""
        return self.line(f"fcmp olt {V} {x}, zeroinitializer")

    def where(self, mask: str, chosen: str, other: str) -> str:
        """Return `chosen` in the mask's lanes, `other` elsewhere."""
        return self.line(f"select {MASK} {mask}, {V} {chosen}, {V} {other}")

    def splat(self, number: str) -> str:
        """Return a vector that has a float in every lane."""
        return self._splat(V, f"float {number}")

    def with_lane(self, x: str, lane: str | int, number: str) -> str:
        """Return x with a float in one lane."""
        return self.line(f"insertelement {V} {x}, float {number}, i64 {lane}")

    def moved(self, x: str, lanes: Sequence[int]) -> str:
        """Return the vector of these lanes of x, lane 16 being zero."""
        chosen = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.line(f"shufflevector {V} {x}, {V} zeroinitializer, {WORDS} <{chosen}>")

    def first_lanes(self, count: str) -> str:
        """Return the mask of the first lanes, as many as an i64 says, which may be more than there are."""
        every = self._splat(WORDS, f"i32 {self.line(f'trunc i64 {count} to i32')}")
        return self.line(f"icmp ult {WORDS} {_LANES}, {every}")

    def sum(self, x: str) -> str:
        """Return the sum of all lanes, a float."""
        return self.line(f"call reassoc float @llvm.vector.reduce.fadd.v16f32(float -0.0, {V} {x})")

    def exponential(self, x: str) -> str:
        """Return e^x; error below 2 units in the last place, denormal results included."""
        x = self.at_least(self.at_most(x, 89.0), -104.0)
        less_one, power = self._reduced(x)
        # 2^n in two factors, since 2^128 and 2^-149 are not normal numbers.
        half = self.line(f"ashr {WORDS} {power}, splat (i32 1)")
        other = self.line(f"sub {WORDS} {power}, {half}")
        result = self.add(less_one, number(1.0))
        for part in (half, other):
            result = self.multiply(result, self._two_to(part))
        return result

    def exponential_decay(self, x: str) -> str:
        """Return e^x for x <= 0, and exactly 0 below -87.7; error below 2 units in the last place."""
        less_one, power = self._reduced(self.at_least(x, -88.0))
        return self.multiply(self.add(less_one, number(1.0)), self._two_to(power))

    def exponential_less_one(self, x: str) -> str:
        """Return e^x - 1 for x <= 40, precise also where it is near 0."""
        less_one, power = self._reduced(self.at_least(x, -40.0))
        scale = self._two_to(power)
        return self.multiply_add(scale, less_one, self.subtract(scale, number(1.0)))

    def logistic(self, x: str, numerator: str) -> str:
        """Return numerator / (1 + e^-x)."""
        return self.divide(numerator, self.add(self.exponential(self.negative(x)), number(1.0)))

    def _splat(self, kind: str, number: str) -> str:
        first = self.line(f"insertelement {kind} poison, {number}, i32 0")
        return self.line(f"shufflevector {kind} {first}, {kind} poison, {WORDS} zeroinitializer")

    def _replaced(self, comparison: str, x: str, bound: float) -> str:
        mask = self.line(f"fcmp {comparison} {V} {x}, {number(bound)}")
        return self.where(mask, number(bound), x)

    def _reduced(self, x: str) -> tuple[str, str]:
        """Return e^r - 1 and the integer n, where x = n ln 2 + r and |r| <= ln(2) / 2."""
        shifted = self.multiply_add(x, number(1 / math.log(2)), number(_MAGIC))
        whole = self.subtract(shifted, number(_MAGIC))
        rest = self.multiply_add(whole, number(-_LN2_HIGH), x)
        rest = self.multiply_add(whole, number(-_LN2_LOW), rest)
        square = self.multiply(rest, rest)
        less_one = self.multiply_add(square, self.polynomial(rest, _EXP), rest)
        bits = self.line(f"bitcast {V} {shifted} to {WORDS}")
        return less_one, self.line(f"sub {WORDS} {bits}, splat (i32 {0x4B400000})")

    def _two_to(self, power: str) -> str:
        """Return 2^power of integers from -126 to 127, and 0 of -127."""
        biased = self.line(f"add {WORDS} {power}, splat (i32 127)")
        bits = self.line(f"shl {WORDS} {biased}, splat (i32 23)")
        return self.line(f"bitcast {WORDS} {bits} to {V}")
