"""An operation on every number, as a step."""

from math import prod

import numpy as np

from robust_tickets.runtime.buffers import MapView, PlainView, View
from robust_tickets.runtime.commands import Pointwise
from robust_tickets.runtime.compiler import compile
from robust_tickets.runtime.kernels import pointwise
from robust_tickets.runtime.kernels.pointwise import PointwiseKernel
from robust_tickets.runtime.layout import LANES
from robust_tickets.runtime.step import Step, address, arguments
from robust_tickets.runtime.target import Target

_PIECE = 512
"""Numbers of a plain value that make a task."""


def pointwise_step(command: Pointwise, arena: int, target: Target) -> Step:
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
    call = arguments(
        channels,
        width,
        total,
        *_strides(source, total, width),
        *_strides(command.target, total, width),
        *((0, 4) if operation.endswith("_number") else _strides(other, total, width)),
        source.address(arena),
        command.target.address(arena),
        0 if other is None else other.address(arena),
        address(scale),
        address(shift),
    )
    keep = (scale, shift, module)
    return Step(command.name, command.kind, module.address(pointwise.NAME), call, rows * channels, keep)


def _strides(view: View | None, total: int, width: int) -> tuple[int, int]:
    """Return bytes from row to row, and from channel to channel."""
    if isinstance(view, MapView):
        return view.layout.row_stride, view.layout.channel_stride
    return 4 * width, 4 * total
