"""Channels from one place to another, and pixels out of blocks."""

from robust_tickets.runtime.kernels.text import ATTRIBUTES, VECTOR_COPY, at, loop, step

COPY, SCATTER = "copy_channels", "scatter"

COPY_ADDRESSES = ("source", "target", "channels")
"""Of channel 0 of both, and of int64 channels[c]: the one in the source that becomes channel c."""

COPY_NUMBERS = ("rows", "bytes", "source_channel", "source_row", "target_channel", "target_row")
"""Rows of a channel, bytes of a row, and strides in bytes."""

SCATTER_ADDRESSES = ("source", "target", "table")
"""Of channel 0 of both, and of int64 [pixels]: the byte offset of each pixel within a channel of the source."""

SCATTER_NUMBERS = ("pixels", "source_channel")
"""Pixels of a channel, and the stride in bytes; in the target channels lie side by side."""


def copy_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels of the target."""
    row = [
        *at("from", "plane", ("%y", "%source_row")),
        *at("to", "place", ("%y", "%target_row")),
        "  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)",
    ]
    body = [
        *at("channel.p", "channels", ("%t", "8")),
        "  %channel = load i64, ptr %channel.p",
        *at("plane", "source", ("%channel", "%source_channel")),
        *at("place", "target", ("%t", "%target_channel")),
        "  br label %y.loop",
        *loop("y", "%rows", row, "task", "done"),
    ]
    return "\n".join([*step(COPY, COPY_ADDRESSES, COPY_NUMBERS, body), VECTOR_COPY, ATTRIBUTES])


def scatter_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels."""
    pixel = [
        *at("offset.p", "table", ("%i", "8")),
        "  %offset = load i64, ptr %offset.p",
        "  %from = getelementptr i8, ptr %plane, i64 %offset",
        "  %value = load float, ptr %from",
        *at("to", "place", ("%i", "4")),
        "  store float %value, ptr %to",
    ]
    body = [
        *at("plane", "source", ("%t", "%source_channel")),
        "  %size = mul i64 %pixels, 4",
        *at("place", "target", ("%t", "%size")),
        "  br label %i.loop",
        *loop("i", "%pixels", pixel, "task", "done"),
    ]
    return "\n".join([*step(SCATTER, SCATTER_ADDRESSES, SCATTER_NUMBERS, body), ATTRIBUTES])
