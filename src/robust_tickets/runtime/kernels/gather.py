"""From any arrangement of pixels to a layout of blocks, halo included."""

from robust_tickets.runtime.kernels.text import ATTRIBUTES, FMULADD, V, fmuladd, splat
from robust_tickets.runtime.layout import LANES, VECTOR

NAME = "gather"

ARGUMENTS = (
    "source",
    "target",
    "table",
    "masks",
    "scale",
    "shift",
    "rows",
    "columns",
    "source_channel",
    "target_channel",
    "target_row",
)
"""Int64 fields of the arguments, in order: addresses of the source, of the target's very first vector, of the table
int32 [rows, columns, 16] of byte offsets within a channel of the source, of uint16 [rows, columns] with a bit for each
lane that is a pixel (the others become zero, whatever their offset leads to), of float32 scale and shift by channel;
numbers of rows and columns; strides in bytes."""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = channel * rows + row.

    target[channel, row, column] = source * scale[channel] + shift[channel] where there is a pixel, else 0.
    """
    lines = [f"define void @{NAME}(ptr noalias %arguments, i32 %begin, i32 %end) #0 {{", "entry:"]
    for number, name in enumerate(ARGUMENTS):
        kind = "ptr" if number < 6 else "i64"
        lines += [
            f"  %{name}.p = getelementptr i64, ptr %arguments, i64 {number}",
            f"  %{name} = load {kind}, ptr %{name}.p",
        ]
    lines += [
        "  %from = zext i32 %begin to i64",
        "  %to = zext i32 %end to i64",
        "  %any = icmp ult i64 %from, %to",
        "  br i1 %any, label %task, label %exit",
        "task:",
        "  %t = phi i64 [%from, %entry], [%t.next, %done]",
        "  %channel = udiv i64 %t, %rows",
        "  %row = urem i64 %t, %rows",
        "  %source.o = mul i64 %channel, %source_channel",
        "  %plane = getelementptr i8, ptr %source, i64 %source.o",
        "  %target.c = mul i64 %channel, %target_channel",
        "  %target.r = mul i64 %row, %target_row",
        "  %target.o = add i64 %target.c, %target.r",
        "  %line = getelementptr i8, ptr %target, i64 %target.o",
        "  %table.v = mul i64 %row, %columns",
        f"  %table.o = mul i64 %table.v, {VECTOR}",
        "  %indices = getelementptr i8, ptr %table, i64 %table.o",
        "  %scale.c = getelementptr float, ptr %scale, i64 %channel",
        "  %scale.f = load float, ptr %scale.c",
        *splat("scale.v", "scale.f"),
        "  %shift.c = getelementptr float, ptr %shift, i64 %channel",
        "  %shift.f = load float, ptr %shift.c",
        *splat("shift.v", "shift.f"),
        "  br label %vector",
        "vector:",
        "  %x = phi i64 [0, %task], [%x.next, %vector]",
        f"  %x.o = mul i64 %x, {VECTOR}",
        "  %index.p = getelementptr i8, ptr %indices, i64 %x.o",
        "  %mask.n = add i64 %table.v, %x",
        "  %mask.p = getelementptr i16, ptr %masks, i64 %mask.n",
        "  %mask = load i16, ptr %mask.p",
        "  %inside = bitcast i16 %mask to <16 x i1>",
    ]
    for lane in range(LANES):
        before = "poison" if lane == 0 else f"%v{lane - 1}"
        lines += [
            f"  %i{lane}.p = getelementptr i32, ptr %index.p, i64 {lane}",
            f"  %i{lane} = load i32, ptr %i{lane}.p",
            f"  %o{lane} = zext i32 %i{lane} to i64",
            f"  %p{lane} = getelementptr i8, ptr %plane, i64 %o{lane}",
            f"  %f{lane} = load float, ptr %p{lane}",
            f"  %v{lane} = insertelement {V} {before}, float %f{lane}, i32 {lane}",
        ]
    lines += [
        fmuladd("affine", f"v{LANES - 1}", "scale.v", "shift.v"),
        f"  %result = select <16 x i1> %inside, {V} %affine, {V} zeroinitializer",
        "  %result.p = getelementptr i8, ptr %line, i64 %x.o",
        f"  store {V} %result, ptr %result.p, align 64",
        "  %x.next = add i64 %x, 1",
        "  %x.more = icmp ult i64 %x.next, %columns",
        "  br i1 %x.more, label %vector, label %done, !llvm.loop !0",
        "done:",
        "  %t.next = add i64 %t, 1",
        "  %more = icmp ult i64 %t.next, %to",
        "  br i1 %more, label %task, label %exit",
        "exit:",
        "  ret void",
        "}",
        FMULADD,
        ATTRIBUTES,
    ]
    return "\n".join(lines)
