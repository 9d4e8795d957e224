"""From any arrangement of pixels to a layout of blocks, halo included."""

from robust_tickets.runtime.kernels.text import ATTRIBUTES, FMULADD, V, at, fmuladd, loop, splat, step
from robust_tickets.runtime.layout import LANES, VECTOR

NAME = "gather"

ADDRESSES = ("source", "target", "table", "masks", "scale", "shift")
"""Of the source; of the target's very first vector; of int32 [rows, columns, 16], byte offsets within a channel of the
source; of uint16 [rows, columns] with a bit for each lane that is a pixel: the others become zero, whatever their
offset leads to; of float32 scale and shift by channel."""

NUMBERS = ("rows", "columns", "source_channel", "target_channel", "target_row")
"""Rows and columns of vectors, and strides in bytes."""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = channel * rows + row.

    target[channel, row, column] = source * scale[channel] + shift[channel] where there is a pixel, else 0.
    """
    vector = [
        *at("index", "indices", ("%x", str(VECTOR))),
        "  %mask.n = add i64 %table.v, %x",
        *at("mask.p", "masks", ("%mask.n", "2")),
        "  %mask = load i16, ptr %mask.p",
        "  %inside = bitcast i16 %mask to <16 x i1>",
    ]
    for lane in range(LANES):
        before = "poison" if lane == 0 else f"%v{lane - 1}"
        vector += [
            f"  %i{lane}.p = getelementptr i32, ptr %index, i64 {lane}",
            f"  %i{lane} = load i32, ptr %i{lane}.p",
            f"  %o{lane} = zext i32 %i{lane} to i64",
            f"  %p{lane} = getelementptr i8, ptr %plane, i64 %o{lane}",
            f"  %f{lane} = load float, ptr %p{lane}",
            f"  %v{lane} = insertelement {V} {before}, float %f{lane}, i32 {lane}",
        ]
    vector += [
        fmuladd("affine", f"v{LANES - 1}", "scale.v", "shift.v"),
        f"  %result = select <16 x i1> %inside, {V} %affine, {V} zeroinitializer",
        *at("result.p", "line", ("%x", str(VECTOR))),
        f"  store {V} %result, ptr %result.p, align 64",
    ]
    body = [
        "  %channel = udiv i64 %t, %rows",
        "  %row = urem i64 %t, %rows",
        *at("plane", "source", ("%channel", "%source_channel")),
        *at("line", "target", ("%channel", "%target_channel"), ("%row", "%target_row")),
        "  %table.v = mul i64 %row, %columns",
        *at("indices", "table", ("%table.v", str(VECTOR))),
        *at("scale.p", "scale", ("%channel", "4")),
        "  %scale.f = load float, ptr %scale.p",
        *splat("scale.v", "scale.f"),
        *at("shift.p", "shift", ("%channel", "4")),
        "  %shift.f = load float, ptr %shift.p",
        *splat("shift.v", "shift.f"),
        "  br label %x.loop",
        *loop("x", "%columns", vector, "task", "done"),
    ]
    return "\n".join([*step(NAME, ADDRESSES, NUMBERS, body), FMULADD, ATTRIBUTES])
