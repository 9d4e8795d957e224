"""From any arrangement of pixels to a layout of blocks, halo included."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record

NAME = "gather"

ARGUMENTS = Record(
    addresses=("source", "target", "table", "masks", "scale", "shift"),
    numbers=("rows", "columns", "source_channel", "target_channel", "target_row"),
)
"""The source; the target's very first vector; int32 [rows, columns, 16], byte offsets within a channel of the source;
uint16 [rows, columns] with a bit for each lane that is a pixel: the others become zero, whatever their offset leads to;
float32 [channels] twice.

Rows and columns of vectors, and strides in bytes.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = channel * rows + row.

    target[channel, row, column] = source * scale[channel] + shift[channel] where there is a pixel, else 0.
    """
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        channel, row = f.split(task, f["rows"])
        plane = f.at(f["source"], (channel, f["source_channel"]))
        line = f.at(f["target"], (channel, f["target_channel"]), (row, f["target_row"]))
        scale, shift = (f.load_splat(f.at(f[name], (channel, 4))) for name in ("scale", "shift"))
        first = f.times(row, f["columns"])
        with f.loop(0, f["columns"]) as column:
            vector = f.plus(first, column.index)
            inside = f.load_mask(f.at(f["masks"], (vector, 2)))
            pixels = f.load_pixels(plane, f.at(f["table"], (vector, VECTOR)))
            result = f.code.where(inside, f.code.multiply_add(pixels, scale, shift), "zeroinitializer")
            f.store(result, f.at(line, (column.index, VECTOR)), alignment=VECTOR)
    return f.text()
