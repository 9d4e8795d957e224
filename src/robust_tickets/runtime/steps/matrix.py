"""A matrix times features, as a step."""

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.graph import Weight
from robust_tickets.runtime.kernels import linear
from robust_tickets.runtime.kernels.layout import LANES, VECTOR
from robust_tickets.runtime.kernels.linear import LinearKernel
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Linear
from robust_tickets.runtime.steps.step import KernelStep, address

SPARSE = 0.15
"""Density below which only the nonzeros are read: they take twice the bytes, and are gathered one by one, two cycles
each. From the first-level cache a dense row is as fast at 0.1, from further away at 0.2."""


def linear_step(command: Linear, arena: int, target: Target) -> KernelStep:
    """Return the step that multiplies by a matrix."""
    rows, features = command.weight.shape
    count = command.weight.count
    sparse = count < SPARSE * rows * features
    if sparse:
        values, offsets, ends = pack(command.weight)
        size = 0
    else:
        size = -(-features // LANES) * VECTOR
        values = _aligned(rows * size // 4, np.float32).reshape(rows, -1)
        values[:, :features] = command.weight.dense()
        offsets, ends = np.zeros(0, np.int32), np.zeros(0, np.int32)
    bias = np.ascontiguousarray(command.bias)
    module = compile(LinearKernel(sparse, command.activation).ir(), target)
    call = linear.ARGUMENTS.pack(
        source=command.source.address(arena),
        target=command.target.address(arena),
        bias=address(bias),
        values=address(values),
        offsets=address(offsets),
        ends=address(ends),
        rows=rows,
        features=features,
        row_size=size,
    )
    keep = (bias, values, offsets, ends, module)
    function = module.address(linear.NAME)
    return KernelStep(command.name, "linear", function, call, -(-rows // LANES), keep, 2 * count)


def pack(weight: Weight) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Return a matrix's nonzeros as the sparse kernel reads them: values, byte offsets, ends."""
    rows, features = weight.shape
    positions, entries = weight.nonzeros()
    row, feature = np.divmod(positions, features)
    counts = np.bincount(row, minlength=rows)
    vectors = -(-counts // LANES)
    ends = np.concatenate([[0], np.cumsum(vectors)]).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(counts)])
    place = ends[row] * LANES + np.arange(len(row)) - starts[row]
    values, offsets = _aligned(ends[-1] * LANES, np.float32), _aligned(ends[-1] * LANES, np.int32)
    values[place], offsets[place] = entries, 4 * feature
    return values, offsets, ends


def _aligned(length: int, kind: type) -> NDArray:
    """Return zeros [length] of a type of four bytes that start at a multiple of 64 bytes."""
    raw = np.zeros(length + LANES, kind)
    start = -raw.ctypes.data % VECTOR // 4
    return raw[start : start + length]
