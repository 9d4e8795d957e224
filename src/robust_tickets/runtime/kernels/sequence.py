"""The pixels of a map one after another, with a number of its own added to each: a sequence of tokens."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record

NAME = "sequence"

ARGUMENTS = Record(
    addresses=("source", "target", "table", "masks", "added"),
    numbers=("columns", "source_channel", "target_channel"),
)
"""Channel 0 of both; int32 [columns, 16], byte offsets within a channel of the source; uint16 [columns] with a bit for
each lane that is a pixel; float32 [channels, columns, 16].

Vectors of a channel of the target, and strides in bytes.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels.

    target[channel, column] = source + added where there is a pixel, else added.
    """
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as channel:
        plane = f.at(f["source"], (channel, f["source_channel"]))
        line = f.at(f["target"], (channel, f["target_channel"]))
        added = f.at(f["added"], (f.times(channel, f["columns"]), VECTOR))
        with f.loop(0, f["columns"]) as column:
            place = f.times(column.index, VECTOR)
            inside = f.load_mask(f.at(f["masks"], (column.index, 2)))
            pixels = f.load_pixels(plane, f.at(f["table"], place))
            pixels = f.code.where(inside, pixels, "zeroinitializer")
            f.store(f.code.add(pixels, f.load(f.at(added, place))), f.at(line, place), alignment=VECTOR)
    return f.text()
