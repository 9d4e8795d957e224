"""The halo of a map from its own blocks, and zeros in the lanes that are no pixels."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR, Layout
from robust_tickets.runtime.kernels.record import Record

NAME = "border"

ARGUMENTS = Record(addresses=("map",), numbers=("row_stride",))
"""Vector (0, 0) of channel 0; bytes from row to row."""


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
                # The pixel is in vector (y mod high, x mod wide), so many blocks further down and right.
                down, right = y // high, x // wide
                lanes = [lane + down * columns + right if valid[lane] else LANES for lane in range(LANES)]
                source = f.load(f.at(rows[y % high], x % wide * VECTOR), alignment=VECTOR)
                f.store(f.code.moved(source, lanes), f.at(rows[y], x * VECTOR), alignment=VECTOR)
    return f.text()
