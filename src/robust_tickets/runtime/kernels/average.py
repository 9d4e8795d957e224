"""Weighted means over the pixels of whole maps."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V

NAME = "average"

ARGUMENTS = Record(
    addresses=("source", "target", "weights"),
    numbers=("means", "rows", "columns", "source_row", "source_channel"),
)
"""The map; float32 [channels, means]; float32 [means, rows, columns, 16].

Means of a channel; rows and columns of vectors in a block; bytes from row to row and from channel to channel.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = channel * means + mean.

    Where the weight is 0 the map may hold anything.
    """
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        channel, mean = f.split(task, f["means"])
        plane = f.at(f["source"], (channel, f["source_channel"]))
        size = f.times(f["rows"], f["columns"])
        weights = f.at(f["weights"], (f.times(mean, size), VECTOR))
        with f.loop(0, f["rows"], values=[(V, "zeroinitializer")]) as row:
            line = f.at(plane, (row.index, f["source_row"]))
            shares = f.at(weights, (f.times(row.index, f["columns"]), VECTOR))
            with f.loop(0, f["columns"], values=[(V, row.values[0])]) as column:
                share = f.load(f.at(shares, (column.index, VECTOR)))
                pixels = f.load(f.at(line, (column.index, VECTOR)), alignment=VECTOR)
                counted = f.code.line(f"fcmp une {V} {share}, zeroinitializer")
                pixels = f.code.where(counted, pixels, "zeroinitializer")
                column.next = [f.code.multiply_add(pixels, share, column.values[0])]
            row.next = [column.values[0]]
        f.store(f.code.sum(row.values[0]), f.at(f["target"], (task, 4)), "float")
    return f.text()
