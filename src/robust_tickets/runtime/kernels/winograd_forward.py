"""Into Winograd's domain."""

from itertools import chain

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V
from robust_tickets.runtime.kernels.winograd import both_sides, matrices

NAME = "winograd_forward"

ARGUMENTS = Record(
    addresses=("source", "target"),
    numbers=("tiles", "source_channel", "source_row", "target_point", "target_channel"),
)
"""The first vector that the first window reads, and where the result begins; tiles in a row, and strides in bytes."""


def ir(outputs: int, taps: int, stride: int, kernel: tuple[int, int]) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over inputs: task = (channel * stride + p) * stride + q.

    Input (channel, p, q) is every stride-th pixel from row p and column q on. For each tile of a row its n x n
    vectors d become B^T d B, at target[point, task, tile].

    Args:
        outputs: side of a tile.
        taps: r, that of the largest phase.
        stride: of the convolution, both ways.
        kernel: its rows and columns.
    """
    _, _, matrix = matrices(outputs, taps)
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        channel, phase = f.split(task, stride * stride)
        p, q = f.split(phase, stride)
        plane = f.at(f["source"], (channel, f["source_channel"]), (p, f["source_row"]), (q, VECTOR))
        place = f.at(f["target"], (task, f["target_channel"]))
        missing = [_is_short(f, phase, length, stride, taps) for phase, length in zip((p, q), kernel, strict=True)]
        with f.loop(0, f["tiles"]) as tile:
            window = f.at(plane, (tile.index, VECTOR * stride * outputs))
            points = both_sides(f.code, matrix, _window(f, window, len(matrix), stride, missing))
            target = f.at(place, (tile.index, VECTOR))
            for index, point in enumerate(chain.from_iterable(points)):
                f.store(point, f.at(target, (f["target_point"], index)), alignment=VECTOR)
    return f.text()


def _is_short(f: Function, phase: str, length: int, stride: int, taps: int) -> str:
    """Return whether a phase has fewer taps: then the last vector would be multiplied by one that does not exist."""
    bits = sum(1 << index for index in range(stride) if len(range(index, length, stride)) < taps)
    return f.code.line(f"trunc i64 {f.code.line(f'lshr i64 {bits}, {phase}')} to i1")


def _window(f: Function, window: str, size: int, stride: int, missing: list[str]) -> list[list[str]]:
    """Return the vectors of a window, zeros for those behind the last tap of a phase: there may be nothing to read."""
    either = f.code.line(f"or i1 {missing[0]}, {missing[1]}")
    vectors = []
    for i in range(size):
        row, vectors = f.at(window, (f["source_row"], stride * i)), [*vectors, []]
        for j in range(size):
            place, last = f.at(row, VECTOR * stride * j), (i == size - 1, j == size - 1)
            if any(last):
                flag = either if all(last) else missing[last.index(True)]
                # Any other vector will do.
                value = f.load(f.choose(flag, window, place, "ptr"), alignment=VECTOR)
                vectors[i].append(f.choose(flag, "zeroinitializer", value, V))
            else:
                vectors[i].append(f.load(place, alignment=VECTOR))
    return vectors
