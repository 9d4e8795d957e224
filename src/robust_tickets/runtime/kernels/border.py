"""The halo of a map from its own blocks, and zeros in the lanes that are no pixels."""

from robust_tickets.runtime.kernels.text import ATTRIBUTES, V
from robust_tickets.runtime.layout import LANES, VECTOR, Layout

NAME = "border"

ARGUMENTS = ("map", "row_stride")
"""Int64 fields of the arguments: address of the origin of channel 0, bytes from row to row."""


def ir(layout: Layout) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels, for maps with this layout's blocks."""
    (_, columns), (high, wide), halo = layout.grid, layout.block, layout.halo
    pixels = layout.pixels()
    lines = [
        f"define void @{NAME}(ptr noalias %arguments, i32 %begin, i32 %end) #0 {{",
        "entry:",
        "  %map = load ptr, ptr %arguments",
        "  %row.p = getelementptr i64, ptr %arguments, i64 1",
        "  %row = load i64, ptr %row.p",
        "  %from = zext i32 %begin to i64",
        "  %to = zext i32 %end to i64",
        "  %any = icmp ult i64 %from, %to",
        "  br i1 %any, label %channel, label %exit",
        "channel:",
        "  %c = phi i64 [%from, %entry], [%c.next, %channel]",
        f"  %c.o = mul i64 %c, {layout.channel_stride}",
        "  %plane = getelementptr i8, ptr %map, i64 %c.o",
    ]
    for number, y in enumerate(range(-halo.top, high + halo.bottom)):
        lines += [
            f"  %y{number}.o = mul i64 %row, {y}",
            f"  %y{number} = getelementptr i8, ptr %plane, i64 %y{number}.o",
        ]
    for y in range(-halo.top, high + halo.bottom):
        for x in range(-halo.left, wide + halo.right):
            inside = 0 <= y < high and 0 <= x < wide
            valid = pixels[y + halo.top, x + halo.left] >= 0
            if inside and valid.all():
                continue
            # The pixel is in vector (y mod high, x mod wide), so many blocks further down and right.
            down, right = y // high, x // wide
            chosen = [lane + down * columns + right if valid[lane] else LANES for lane in range(LANES)]
            name = f"v{y + halo.top}.{x + halo.left}"
            mask = ", ".join(f"i32 {lane}" for lane in chosen)
            source, target = f"%y{y % high + halo.top}", f"%y{y + halo.top}"
            lines += [
                f"  %{name}.s = getelementptr i8, ptr {source}, i64 {x % wide * VECTOR}",
                f"  %{name}.i = load {V}, ptr %{name}.s, align 64",
                f"  %{name} = shufflevector {V} %{name}.i, {V} zeroinitializer, <16 x i32> <{mask}>",
                f"  %{name}.t = getelementptr i8, ptr {target}, i64 {x * VECTOR}",
                f"  store {V} %{name}, ptr %{name}.t, align 64",
            ]
    lines += [
        "  %c.next = add i64 %c, 1",
        "  %more = icmp ult i64 %c.next, %to",
        "  br i1 %more, label %channel, label %exit",
        "exit:",
        "  ret void",
        "}",
        ATTRIBUTES,
    ]
    return "\n".join(lines)
