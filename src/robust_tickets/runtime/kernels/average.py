"""Weighted means over the pixels of whole maps."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.text import V

NAME = "average"

NUMBERS = ("means", "rows", "columns", "source_row", "source_channel")
"""Means of a channel; rows and columns of vectors in a block; bytes from row to row and from channel to channel."""
ADDRESSES = ("source", "target", "weights")
"""The map; float32 [channels, means]; float32 [means, rows, columns, 16]."""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = channel * means + mean.

    Where the weight is 0 the map may hold anything.
    """
    f = Function(NAME, NUMBERS, ADDRESSES)
    with f.tasks() as task:
        channel, mean = f.split(task, f["means"])
        plane = f.at(f["source"], f.times(channel, f["source_channel"]))
        size = f.times(f["rows"], f["columns"])
        weights = f.element(f["weights"], f.times(mean, size), 64)
        with f.loop("0", f["rows"], values=[(V, "zeroinitializer")]) as row:
            line = f.at(plane, f.times(row.index, f["source_row"]))
            shares = f.element(weights, f.times(row.index, f["columns"]), 64)
            with f.loop("0", f["columns"], values=[(V, row.values[0])]) as column:
                share = f.load(f.element(shares, column.index, 64))
                pixels = f.load(f.element(line, column.index, 64), alignment=64)
                counted = f.code.line(f"fcmp une {V} {share}, zeroinitializer")
                pixels = f.code.where(counted, pixels, "zeroinitializer")
                column.next = [f.code.multiply_add(pixels, share, column.values[0])]
            row.next = [column.values[0]]
        f.store(f.sum(row.values[0]), f.element(f["target"], task, 4), "float")
    return f.text()
