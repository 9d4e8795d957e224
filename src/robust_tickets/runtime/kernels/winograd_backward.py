"""Out of Winograd's domain."""

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.winograd import both_sides, matrices

NAME = "winograd_backward"

ARGUMENTS = Record(
    addresses=("source", "target", "bias"),
    numbers=("tiles", "source_point", "source_channel", "target_channel", "target_row"),
)
"""The products, and the first output of the first tile; float32 [channels]; tiles in a row, and strides in bytes."""


def ir(outputs: int, taps: int, activation: Activation) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over output channels.

    For each tile of a row the products m at source[point, channel, tile] become m x m outputs
    activation(A^T m A + bias).
    """
    matrix, _, _ = matrices(outputs, taps)
    size = len(matrix[0])
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as channel:
        plane = f.at(f["source"], (channel, f["source_channel"]))
        place = f.at(f["target"], (channel, f["target_channel"]))
        bias = f.load_splat(f.at(f["bias"], (channel, 4)))
        with f.loop(0, f["tiles"]) as tile:
            source = f.at(plane, (tile.index, VECTOR))
            points = [
                [f.load(f.at(source, (f["source_point"], i * size + j)), alignment=VECTOR) for j in range(size)]
                for i in range(size)
            ]
            target = f.at(place, (tile.index, VECTOR * outputs))
            for i, values in enumerate(both_sides(f.code, matrix, points)):
                row = f.at(target, (f["target_row"], i))
                for j, value in enumerate(values):
                    result = f.activated(activation, f.code.add(value, bias))
                    f.store(result, f.at(row, VECTOR * j), alignment=VECTOR)
    return f.text(activation)
