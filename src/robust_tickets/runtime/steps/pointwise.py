"""An operation on every number, as a step."""

from math import prod

import numpy as np

from robust_tickets.runtime.kernels import pointwise
from robust_tickets.runtime.kernels.layout import LANES
from robust_tickets.runtime.kernels.pointwise import PointwiseKernel
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView, PlainView, View
from robust_tickets.runtime.planning.commands import Pointwise
from robust_tickets.runtime.steps.step import KernelStep, address

_PIECE = 512
"""Numbers of a plain value that make a task."""


def pointwise_step(command: Pointwise, arena: int, target: Target) -> KernelStep:
    """Return the step of an operation on every number."""
    source, other = command.source, command.other
    operation = {"scale": "mul_number", "shift": "add_number"}.get(command.kind, command.kind)
    if operation == "affine" and command.scale is None and command.shift is None:
        operation = "copy"
    if isinstance(source, MapView):
        channels, (rows, columns) = source.channels, source.layout.block
        width, total = LANES * columns, LANES * columns * rows
    else:
        channels, total = source.shape[0], prod(source.shape[1:])
        width, rows = total, 1
    scale = np.ones(channels, np.float32) if command.scale is None else np.ascontiguousarray(command.scale)
    shift = np.zeros(channels, np.float32) if command.shift is None else np.ascontiguousarray(command.shift)
    if isinstance(source, PlainView) and (total == 1 or operation in ("copy", "add", "mul")):
        # Numbers one after the other, whichever channel they are of.
        operation = "affine_each" if operation == "affine" else operation.removesuffix("_number")
        channels, total, width = 1, channels * total, _PIECE
        rows = -(-total // width)
    whole = isinstance(source, MapView) or total % LANES == width % LANES == 0
    module = compile(PointwiseKernel(operation, whole, command.activation).ir(), target)
    number = operation.endswith("_number")
    call = pointwise.ARGUMENTS.pack(
        source=source.address(arena),
        target=command.target.address(arena),
        other=0 if other is None else other.address(arena),
        scale=address(scale),
        shift=address(shift),
        channels=channels,
        width=width,
        total=total,
        **_strides("source", source, total, width),
        **_strides("target", command.target, total, width),
        **({"other_row": 0, "other_channel": 4} if number else _strides("other", other, total, width)),
    )
    keep = (scale, shift, module)
    return KernelStep(command.name, command.kind, module.address(pointwise.NAME), call, rows * channels, keep)


def _strides(name: str, view: View | None, total: int, width: int) -> dict[str, int]:
    """Return bytes from row to row, and from channel to channel."""
    if isinstance(view, MapView):
        row, channel = view.layout.row_stride, view.layout.channel_stride
    else:
        row, channel = 4 * width, 4 * total
    return {f"{name}_row": row, f"{name}_channel": channel}
