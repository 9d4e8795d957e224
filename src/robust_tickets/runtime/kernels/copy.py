"""Channels from one place to another."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.record import Record

NAME = "copy"

ARGUMENTS = Record(
    addresses=("source", "target", "channels"),
    numbers=("rows", "bytes", "source_channel", "source_row", "target_channel", "target_row"),
)
"""Channel 0 of both; int64 channels[c]: the one in the source that becomes channel c.

Rows of a channel, bytes of a row, and strides in bytes.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over channels of the target."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        channel = f.load(f.at(f["channels"], (task, 8)), "i64")
        source = f.at(f["source"], (channel, f["source_channel"]))
        target = f.at(f["target"], (task, f["target_channel"]))
        with f.loop(0, f["rows"], unroll=False) as row:
            to, start = f.at(target, (row.index, f["target_row"])), f.at(source, (row.index, f["source_row"]))
            f.copy(to, start, f["bytes"])
    return f.text()
