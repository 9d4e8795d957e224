"""What walks over the tiles of a layer and calls its kernels."""

import numpy as np

from robust_tickets.runtime.kernels.convolution import FIRST, LAST
from robust_tickets.runtime.kernels.text import ATTRIBUTES

NAME = "convolve"

ARGUMENTS = ("input", "output", "residual", "strides", "tiles", "tile_count", "chunks", "slice_count", "extra")
"""Int64 fields of the arguments, in order. `extra` is the mode bit of the residual, or 0."""

TILE = np.dtype([("input", "i8"), ("output", "i8"), ("residual", "i8"), ("kind", "i8")])
"""Byte offsets of a tile in the three maps, and which of a chunk's kernels has its shape."""

CHUNK = np.dtype(
    [("output", "i8"), ("residual", "i8"), ("bias", "i8"), ("blocks", "i8"), ("kernels", "i8"), ("slices", "i8")]
)
"""Some output channels: byte offsets of the first in output and residual; addresses of its bias, of its kernels by
kind of tile, and of its slices."""

SLICE = np.dtype([("entries", "i8"), ("ends", "i8")])
"""Addresses of the weights that read some of the input channels: what fits the first-level cache with a tile."""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = chunk * tiles + tile."""
    lines = [f"define void @{NAME}(ptr noalias %arguments, i32 %begin, i32 %end) #0 {{", "entry:"]
    for number, name in enumerate(ARGUMENTS):
        kind = "i64" if name in ("tile_count", "slice_count", "extra") else "ptr"
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
        "  %chunk.n = udiv i64 %t, %tile_count",
        "  %tile.n = urem i64 %t, %tile_count",
        *_fields("tile", "tiles", TILE, ()),
        *_fields("chunk", "chunks", CHUNK, ("bias", "kernels", "slices")),
        "  %kernel.p = getelementptr ptr, ptr %chunk.kernels, i64 %tile.kind",
        "  %kernel = load ptr, ptr %kernel.p",
        "  %in = getelementptr i8, ptr %input, i64 %tile.input",
        "  %out.o = add i64 %tile.output, %chunk.output",
        "  %out = getelementptr i8, ptr %output, i64 %out.o",
        "  %res.o = add i64 %tile.residual, %chunk.residual",
        "  %res = getelementptr i8, ptr %residual, i64 %res.o",
        "  br label %slice",
        "slice:",
        "  %s = phi i64 [0, %task], [%s.next, %slice]",
        f"  %s.o = mul i64 %s, {SLICE.itemsize}",
        "  %entries.p = getelementptr i8, ptr %chunk.slices, i64 %s.o",
        "  %entries = load ptr, ptr %entries.p",
        "  %ends.p = getelementptr i8, ptr %entries.p, i64 8",
        "  %ends = load ptr, ptr %ends.p",
        "  %s.next = add i64 %s, 1",
        "  %is_first = icmp eq i64 %s, 0",
        f"  %first.bits = or i64 %extra, {FIRST}",
        "  %first = select i1 %is_first, i64 %first.bits, i64 0",
        "  %is_last = icmp eq i64 %s.next, %slice_count",
        f"  %last = select i1 %is_last, i64 {LAST}, i64 0",
        "  %mode = or i64 %first, %last",
        "  call void %kernel(ptr %in, ptr %out, ptr %res, ptr %entries, ptr %ends, ptr %chunk.bias, ptr %strides, "
        "i64 %chunk.blocks, i64 %mode)",
        "  br i1 %is_last, label %done, label %slice",
        "done:",
        "  %t.next = add i64 %t, 1",
        "  %more = icmp ult i64 %t.next, %to",
        "  br i1 %more, label %task, label %exit",
        "exit:",
        "  ret void",
        "}",
        ATTRIBUTES,
    ]
    return "\n".join(lines)


def _fields(name: str, table: str, record: np.dtype, addresses: tuple[str, ...]) -> list[str]:
    """Return lines that load all fields of record number %{name}.n."""
    lines = [
        f"  %{name}.o = mul i64 %{name}.n, {record.itemsize}",
        f"  %{name}.p = getelementptr i8, ptr %{table}, i64 %{name}.o",
    ]
    for number, field in enumerate(record.names or ()):
        kind = "ptr" if field in addresses else "i64"
        lines += [
            f"  %{name}.{field}.p = getelementptr i64, ptr %{name}.p, i64 {number}",
            f"  %{name}.{field} = load {kind}, ptr %{name}.{field}.p",
        ]
    return lines
