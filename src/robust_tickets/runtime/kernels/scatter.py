"""Pixels out of blocks, into row-major order."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.record import Record

NAME = "scatter"

ARGUMENTS = Record(addresses=("source", "target", "table"), numbers=("pixels", "source_channel"))
"""Channel 0 of both; int64 [pixels], the byte offset of each pixel within a channel of the source.

Pixels of a channel, and the stride in bytes; in the target channels lie side by side.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as channel:
        source = f.at(f["source"], (channel, f["source_channel"]))
        target = f.at(f["target"], (f.times(channel, f["pixels"]), 4))
        with f.loop(0, f["pixels"]) as pixel:
            offset = f.load(f.at(f["table"], (pixel.index, 8)), "i64")
            f.store(f.load(f.at(source, offset), "float"), f.at(target, (pixel.index, 4)), "float")
    return f.text()
