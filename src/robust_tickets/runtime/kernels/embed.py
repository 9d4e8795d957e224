"""Rows of a table, looked up by number: the embeddings of tokens."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import WORDS, V

NAME = "embed"

ARGUMENTS = Record(
    addresses=("source", "target", "table"),
    numbers=("channels", "last", "row_size", "target_channel"),
)
"""Channel 0 of the numbers and of the target; float32 [rows, channels].

Channels; the number of the last row; bytes of a row, and from channel to channel.
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over vectors of tokens.

    Below 0, and what is no number, is the first row; beyond the last is the last: nothing outside of it is read.
    """
    f = Function.over_tasks(NAME, ARGUMENTS)
    last, size = (_words(f, f[name]) for name in ("last", "row_size"))
    with f.tasks() as column:
        place = f.times(column, VECTOR)
        numbers = f.load(f.at(f["source"], place), alignment=VECTOR)
        # A conversion of what does not fit, or is not a number, would be undefined.
        wanted = f.code.line(f"call {WORDS} @llvm.fptoui.sat.v16i32.v16f32({V} {numbers})")
        below = f.code.line(f"icmp ult {WORDS} {wanted}, {last}")
        row = f.code.line(f"select <16 x i1> {below}, {WORDS} {wanted}, {WORDS} {last}")
        offsets = f.code.line(f"mul {WORDS} {row}, {size}")
        target = f.at(f["target"], place)
        with f.loop(0, f["channels"]) as channel:
            found = f.load_scattered(f.at(f["table"], (channel.index, 4)), offsets)
            f.store(found, f.at(target, (channel.index, f["target_channel"])), alignment=VECTOR)
    return f.text() + f"\ndeclare {WORDS} @llvm.fptoui.sat.v16i32.v16f32({V})\n"


def _words(f: Function, number: str) -> str:
    """Return an i64 in all lanes of a vector of 32 bits each."""
    short = f.code.line(f"trunc i64 {number} to i32")
    first = f.code.line(f"insertelement {WORDS} poison, i32 {short}, i32 0")
    return f.code.line(f"shufflevector {WORDS} {first}, {WORDS} poison, {WORDS} zeroinitializer")
