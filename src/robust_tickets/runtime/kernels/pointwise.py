"""One operation on every number, with at most one other operand and an activation."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function

NAME = "pointwise"

NUMBERS = (
    "channels",
    "width",
    "total",
    "source_row",
    "source_channel",
    "target_row",
    "target_channel",
    "other_row",
    "other_channel",
)
"""Channels; numbers in a row, and in all rows of a channel; bytes from row to row, and from channel to channel."""
ADDRESSES = ("source", "target", "other", "scale", "shift")
"""Three maps, or rows of numbers; float32 [channels], or for affine_each [total]."""

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
        f = Function(NAME, NUMBERS, ADDRESSES)
        with f.tasks() as task:
            row, channel = f.split(task, f["channels"])
            source = f.at(f["source"], f.times(row, f["source_row"]))
            source = f.at(source, f.times(channel, f["source_channel"]))
            target = f.at(f["target"], f.times(row, f["target_row"]))
            target = f.at(target, f.times(channel, f["target_channel"]))
            other = f.at(f["other"], f.times(row, f["other_row"]))
            other = f.at(other, f.times(channel, f["other_channel"]))
            numbers = self._numbers(f, channel, other)
            left = f.minus(f["total"], f.times(row, f["width"]))
            count = f.smaller(f["width"], left)
            full = f.code.line(f"and i64 {count}, -16")
            operands = self._operands(f, source, other, row)
            with f.loop("0", full, 16) as loop:
                place = f.times(loop.index, "4")
                values = [f.load(f.at(operand, place)) for operand in operands]
                f.store(self._result(f, values, numbers), f.at(target, place))
            if not self.whole:
                rest = f.minus(count, full)
                with f.when(f.code.line(f"icmp ne i64 {rest}, 0")):
                    mask, place = f.first_lanes(rest), f.times(full, "4")
                    values = [f.load_lanes(f.at(operand, place), mask) for operand in operands]
                    f.store_lanes(self._result(f, values, numbers), f.at(target, place), mask)
        return f.text(self.activation)

    def _operands(self, f: Function, source: str, other: str, row: str) -> list[str]:
        """Return the addresses from which vectors are read."""
        if self.operation == "affine_each":
            place = f.times(f.times(row, f["width"]), "4")
            return [source, f.at(f["scale"], place), f.at(f["shift"], place)]
        return [source, other] if self.operation in ("add", "mul") else [source]

    def _numbers(self, f: Function, channel: str, other: str) -> list[str]:
        """Return the channel's operands, in all lanes."""
        if self.operation == "affine":
            return [f.splat(f.load(f.element(f[name], channel, 4), "float")) for name in ("scale", "shift")]
        return [f.splat(f.load(other, "float"))] if self.operation.endswith("_number") else []

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
