"""One operation on every number, with at most one other operand and an activation."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES
from robust_tickets.runtime.kernels.record import Record

NAME = "pointwise"

ARGUMENTS = Record(
    addresses=("source", "target", "other", "scale", "shift"),
    numbers=(
        "channels",
        "width",
        "total",
        "source_row",
        "source_channel",
        "target_row",
        "target_channel",
        "other_row",
        "other_channel",
    ),
)
"""Three maps, or rows of numbers; float32 [channels] twice, or for affine_each [total].

Channels; numbers in a row, and in all rows of a channel; bytes from row to row, and from channel to channel.
"""

OPERATIONS = ("copy", "affine", "affine_each", "add", "mul", "add_number", "mul_number")


@dataclass(frozen=True)
class PointwiseKernel:
    """activation(x) for copy; of x * scale[c] + shift[c]; of x + y, x * y; of x + y[c], x * y[c].

    For affine_each there is one channel, and every number has its own scale and shift.
    """

    operation: str
    """One of `OPERATIONS`."""
    whole: bool
    """Whether every row is a whole number of vectors."""
    activation: Activation

    def ir(self) -> str:
        """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = row * channels + channel."""
        f = Function.over_tasks(NAME, ARGUMENTS)
        with f.tasks() as task:
            row, channel = f.split(task, f["channels"])
            source, target, other = (
                f.at(f[name], (row, f[f"{name}_row"]), (channel, f[f"{name}_channel"]))
                for name in ("source", "target", "other")
            )
            numbers = self._numbers(f, channel, other)
            left = f.minus(f["total"], f.times(row, f["width"]))
            count = f.smaller(f["width"], left)
            full = f.bits(count, -LANES)
            operands = self._operands(f, source, other, row)
            with f.loop(0, full, LANES) as loop:
                place = f.times(loop.index, 4)
                values = [f.load(f.at(operand, place)) for operand in operands]
                f.store(self._result(f, values, numbers), f.at(target, place))
            if not self.whole:
                rest = f.minus(count, full)
                with f.when(f.different(rest, 0)):
                    mask, place = f.code.first_lanes(rest), f.times(full, 4)
                    values = [f.load_lanes(f.at(operand, place), mask) for operand in operands]
                    f.store_lanes(self._result(f, values, numbers), f.at(target, place), mask)
        return f.text(self.activation)

    def _operands(self, f: Function, source: str, other: str, row: str) -> list[str]:
        """Return the addresses from which vectors are read."""
        if self.operation == "affine_each":
            place = f.times(f.times(row, f["width"]), 4)
            return [source, f.at(f["scale"], place), f.at(f["shift"], place)]
        return [source, other] if self.operation in ("add", "mul") else [source]

    def _numbers(self, f: Function, channel: str, other: str) -> list[str]:
        """Return the channel's operands, in all lanes."""
        if self.operation == "affine":
            return [f.load_splat(f.at(f[name], (channel, 4))) for name in ("scale", "shift")]
        return [f.load_splat(other)] if self.operation.endswith("_number") else []

    def _result(self, f: Function, values: list[str], numbers: list[str]) -> str:
        operands = [*values, *numbers]
        match self.operation.split("_")[0]:
            case "affine":
                result = f.code.multiply_add(operands[0], operands[1], operands[2])
            case "add":
                result = f.code.add(operands[0], operands[1])
            case "mul":
                result = f.code.multiply(operands[0], operands[1])
            case _:
                result = operands[0]
        return f.activated(self.activation, result)
