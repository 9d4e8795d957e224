"""Several functions over tasks in turn, a few channels at a time: what one writes the next still finds in the cache.

What lies between them has a room for each thread. A thread takes one that is free, and leaves it free: there are as
many as threads.
"""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.record import Record

NAME = "chain"

ARGUMENTS = Record(addresses=("functions", "arguments", "spans", "taken"), numbers=("parts", "rooms"))
"""For each part a function void(arguments, begin, end), addresses [parts]; its arguments, addresses [rooms, parts];
which of its own tasks it does in a task, int32 [tasks, parts, begin and end]. A byte for each room, 0 if it is free.

How many parts and rooms there are.
"""

_ROOMS = """
define internal i64 @enter(ptr %taken, i64 %rooms) {
entry:
  br label %try
try:
  %room = phi i64 [0, %entry], [%next, %occupied]
  %place = getelementptr i8, ptr %taken, i64 %room
  %exchange = cmpxchg ptr %place, i8 0, i8 1 acquire monotonic
  %mine = extractvalue { i8, i1 } %exchange, 1
  br i1 %mine, label %got, label %occupied
occupied:
  %more = add i64 %room, 1
  %end = icmp eq i64 %more, %rooms
  %next = select i1 %end, i64 0, i64 %more
  br label %try
got:
  ret i64 %room
}

define internal void @leave(ptr %taken, i64 %room) {
  %place = getelementptr i8, ptr %taken, i64 %room
  store atomic i8 0, ptr %place release, align 1
  ret void
}
"""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end): task by task, what belongs to it of each part in turn."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    room = f.code.line(f"call i64 @enter(ptr {f['taken']}, i64 {f['rooms']})")
    arguments = f.at(f["arguments"], (f.times(room, f["parts"]), 8))
    with f.tasks() as task:
        spans = f.at(f["spans"], (f.times(task, f["parts"]), 8))
        with f.loop(0, f["parts"], unroll=False) as part:
            span = f.at(spans, (part.index, 8))
            f.call_over_tasks(
                f.load(f.at(f["functions"], (part.index, 8)), "ptr"),
                f.load(f.at(arguments, (part.index, 8)), "ptr"),
                f.load(span, "i32"),
                f.load(f.at(span, 4), "i32"),
            )
    f.code.lines.append(f"  call void @leave(ptr {f['taken']}, i64 {room})")
    return f.text() + _ROOMS
