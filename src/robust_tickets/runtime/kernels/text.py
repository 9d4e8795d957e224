"""Pieces of LLVM IR text that kernels share."""

import struct
from collections.abc import Sequence

import numpy as np

V = "<16 x float>"

ATTRIBUTES = (
    'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }\n'
    "!0 = distinct !{!0, !1}\n"
    '!1 = !{!"llvm.loop.unroll.disable"}'
)
"""Of every function: vectors stay as wide as they are written where the processor can, and `!0` is not unrolled."""


def splat(name: str, scalar: str) -> list[str]:
    """Return lines that put the float %scalar into every lane of %name."""
    return [
        f"  %{name}.i = insertelement {V} poison, float %{scalar}, i32 0",
        f"  %{name} = shufflevector {V} %{name}.i, {V} poison, <16 x i32> zeroinitializer",
    ]


def fmuladd(name: str, left: str, right: str, addend: str) -> str:
    """Return the line %name = %left * %right + %addend, fused where the processor can."""
    return f"  %{name} = call {V} @llvm.fmuladd.v16f32({V} %{left}, {V} %{right}, {V} %{addend})"


FMULADD = f"declare {V} @llvm.fmuladd.v16f32({V}, {V}, {V})"


VECTOR_COPY = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"


def constant(value: float) -> str:
    """Return a float32 constant as LLVM writes it: sixteen hexadecimal digits of the double."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', float(np.float32(value))))[0]:016X}"


def step(name: str, addresses: Sequence[str], numbers: Sequence[str], body: Sequence[str]) -> list[str]:
    """Return the lines of a function void(arguments, begin, end) that does tasks begin, ..., end - 1.

    Args:
        name: of the function.
        addresses: fields of the arguments that are addresses: in the body a `ptr` each, by that name.
        numbers: the fields behind them, an `i64` each.
        body: what is done for task %t; it leaves through `br label %done`, and defines neither that label nor
            `entry`, `task` and `exit`.
    """
    lines = [f"define void @{name}(ptr noalias %arguments, i32 %begin, i32 %end) #0 {{", "entry:"]
    for number, field in enumerate((*addresses, *numbers)):
        lines += [
            f"  %{field}.argument = getelementptr i64, ptr %arguments, i64 {number}",
            f"  %{field} = load {'ptr' if number < len(addresses) else 'i64'}, ptr %{field}.argument",
        ]
    return [
        *lines,
        "  %t.begin = zext i32 %begin to i64",
        "  %t.end = zext i32 %end to i64",
        "  %t.any = icmp ult i64 %t.begin, %t.end",
        "  br i1 %t.any, label %task, label %exit",
        "task:",
        "  %t = phi i64 [%t.begin, %entry], [%t.next, %done]",
        *body,
        "done:",
        "  %t.next = add i64 %t, 1",
        "  %t.more = icmp ult i64 %t.next, %t.end",
        "  br i1 %t.more, label %task, label %exit, !llvm.loop !0",
        "exit:",
        "  ret void",
        "}",
    ]


def loop(name: str, count: str, body: Sequence[str], before: str, after: str) -> list[str]:
    """Return lines that repeat a body of one basic block for %name = 0, 1, ... below `count`, which is at least 1.

    Args:
        name: of the counter; the label is `name.loop`.
        count: an i64 with its "%", or a literal.
        body: lines without labels.
        before: label of the block in which this loop is entered by `br label %name.loop`.
        after: label of the block behind the loop.
    """
    return [
        f"{name}.loop:",
        f"  %{name} = phi i64 [0, %{before}], [%{name}.next, %{name}.loop]",
        *body,
        f"  %{name}.next = add i64 %{name}, 1",
        f"  %{name}.more = icmp ult i64 %{name}.next, {count}",
        f"  br i1 %{name}.more, label %{name}.loop, label %{after}, !llvm.loop !0",
    ]


def at(name: str, base: str, *terms: tuple[str, str]) -> list[str]:
    """Return lines for the address %name = %base + sum of products of i64 (names with their "%", or literals)."""
    lines, pointer = [], base
    for number, (left, right) in enumerate(terms):
        last = f"{name}" if number == len(terms) - 1 else f"{name}.at{number}"
        lines += [
            f"  %{name}.by{number} = mul i64 {left}, {right}",
            f"  %{last} = getelementptr i8, ptr %{pointer}, i64 %{name}.by{number}",
        ]
        pointer = last
    return lines
