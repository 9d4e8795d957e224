"""The halo of a map from its own blocks, and zeros in the lanes that are not pixels: written out, or from a table.

Written out, a vector is one permutation of another; but the time to compile grows with the square of their number.
"""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR, Layout
from robust_tickets.runtime.kernels.record import Record

NAME = "border"

ARGUMENTS = Record(addresses=("map",), numbers=("row_stride",))
"""Vector (0, 0) of channel 0; bytes from row to row."""

TABLE_ARGUMENTS = Record(addresses=("map", "targets", "sources", "masks"), numbers=("vectors", "channel_stride"))
"""Vector (0, 0) of channel 0; for each vector that is written, bytes from there, int64 [vectors], bytes to the pixel of
each lane, int32 [vectors, 16], and uint16 [vectors] with a bit for each lane that is a pixel: the others become zero.

How many vectors; bytes from channel to channel.
"""


def ir(layout: Layout) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels, for maps with this layout's blocks."""
    (_, columns), (high, wide), halo = layout.grid, layout.block, layout.halo
    pixels = layout.pixels()
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as channel:
        plane = f.at(f["map"], (channel, layout.channel_stride))
        rows = {y: f.at(plane, (f["row_stride"], y)) for y in range(-halo.top, high + halo.bottom)}
        for y in rows:
            for x in range(-halo.left, wide + halo.right):
                inside = 0 <= y < high and 0 <= x < wide
                valid = pixels[y + halo.top, x + halo.left] >= 0
                if inside and valid.all():
                    continue
                # The pixel is in vector (y mod high, x mod wide), this many blocks further down and right.
                down, right = y // high, x // wide
                lanes = [lane + down * columns + right if valid[lane] else LANES for lane in range(LANES)]
                source = f.load(f.at(rows[y % high], x % wide * VECTOR), alignment=VECTOR)
                f.store(f.code.moved(source, lanes), f.at(rows[y], x * VECTOR), alignment=VECTOR)
    return f.text()


def table_ir() -> str:
    """Return the LLVM IR text of void(`TABLE_ARGUMENTS`, begin, end) over channels, for any map."""
    f = Function.over_tasks(NAME, TABLE_ARGUMENTS)
    with f.tasks() as channel:
        plane = f.at(f["map"], (channel, f["channel_stride"]))
        with f.loop(0, f["vectors"]) as vector:
            target = f.at(plane, f.load(f.at(f["targets"], (vector.index, 8)), "i64"))
            pixels = f.load_pixels(plane, f.at(f["sources"], (vector.index, VECTOR)))
            inside = f.load_mask(f.at(f["masks"], (vector.index, 2)))
            f.store(f.code.where(inside, pixels, "zeroinitializer"), target, alignment=VECTOR)
    return f.text()
