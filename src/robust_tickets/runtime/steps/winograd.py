"""A dense convolution as steps: into Winograd's domain, products for each point, and out of it, row by row of tiles."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels import convolution, driver, winograd, winograd_backward, winograd_forward
from robust_tickets.runtime.kernels.convolution import ConvolutionKernel
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.layout import VECTOR
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import aligned
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.steps.step import KernelStep, address

SIDES = (4, 3, 2)
"""Sides of the output tiles that may be computed at a time, the preferred first."""

Bytes = NDArray[np.uint8]

_MOST_POINTS = 8
"""Along a side; more would cost precision."""

_KERNELS = {32: (4, 5), 8: (2, 2), 4: (1, 2)}
"""Vectors that a processor's registers hold -> output channels and tiles that the products' kernel keeps in them."""

_ROOM = 400 * 1024
"""Bytes of products that are made before they are taken out of the domain: they stay in the second-level cache."""


def possible_side(command: Convolve) -> int:
    """Return the side of the output tiles that fits a convolution, or 0 if Winograd's algorithm does not serve it.

    It serves convolutions that are dense, ungrouped and undilated, of the same stride both ways, whose kernel has
    several taps left at that stride, and whose blocks divide into tiles.
    """
    window = command.window
    stride = window.stride[0]
    if (
        command.weight.count < 0.5 * prod(command.weight.shape)
        or command.groups > 1
        or window.dilation != (1, 1)
        or window.stride[1] != stride
    ):
        return 0
    taps = _taps(command)
    if command.residual is not None or min(window.kernel) <= stride or taps < 2:
        return 0
    # A phase has as many taps as the largest, or one fewer: with even fewer, what is read may lie behind the map.
    if min(window.kernel) // stride < taps - 1:
        return 0
    high, wide = command.target.layout.block
    fitting = [side for side in SIDES if high % side == wide % side == 0 and side + taps - 1 <= _MOST_POINTS]
    return fitting[0] if fitting else 0


def winograd_steps(command: Convolve, side: int, arena: int, target: Target) -> list[KernelStep]:
    """Return a convolution as steps in order.

    Args:
        command: what is convolved.
        side: of the output tiles, as `possible_side` gives it.
        arena: address of the arena.
        target: what to compile for.
    """
    source, out, window = command.source, command.target, command.window
    stride, taps = window.stride[0], _taps(command)
    weights = transformed(command, side)
    points, outputs, inputs = weights.shape
    high, wide = out.layout.block[0] // side, out.layout.block[1] // side
    pitch = VECTOR * wide
    rows, width = _KERNELS[target.held_vectors]
    rows = rows if outputs % rows == 0 else 1
    group = max(rows, min(outputs, _ROOM // (points * pitch)) // rows * rows)
    before, after = aligned(points * inputs * pitch), aligned(points * group * pitch)
    products = _Products(command.name, before, after, rows, wide, width, target)
    groups = [(first, products.step(weights[:, first : first + group], group)) for first in range(0, outputs, group)]
    forward = compile(winograd_forward.ir(side, taps, stride, window.kernel), target)
    backward = compile(winograd_backward.ir(side, taps, command.activation), target)
    bias = np.ascontiguousarray(command.bias)
    top, left, _, _ = window.padding
    steps = []
    for y in range(high):
        call = winograd_forward.ARGUMENTS.pack(
            source=source.address(arena) + source.layout.offset(stride * side * y - top, -left),
            target=address(before),
            tiles=wide,
            source_channel=source.layout.channel_stride,
            source_row=source.layout.row_stride,
            target_point=inputs * pitch,
            target_channel=pitch,
        )
        function = forward.address(winograd_forward.NAME)
        steps.append(KernelStep(command.name, "winograd", function, call, inputs, (before, forward)))
        for first, step in groups:
            call = winograd_backward.ARGUMENTS.pack(
                source=address(after),
                target=out.address(arena) + out.layout.offset(side * y, 0, first),
                bias=address(bias) + 4 * first,
                tiles=wide,
                source_point=group * pitch,
                source_channel=pitch,
                target_channel=out.layout.channel_stride,
                target_row=out.layout.row_stride,
            )
            function, tasks = backward.address(winograd_backward.NAME), min(group, outputs - first)
            steps += [step, KernelStep(command.name, "winograd", function, call, tasks, (after, bias, backward))]
    return steps


class _Products:
    """The products for each point, of a row of tiles."""

    def __init__(
        self, name: str, before: Bytes, after: Bytes, rows: int, wide: int, width: int, target: Target
    ) -> None:
        """Compile kernels of this many rows for a row of `wide` tiles, cut into pieces of up to `width`."""
        self._name, self._before, self._after, self._rows = name, before, after, rows
        self._pitch = VECTOR * wide
        cuts = [(start, min(width, wide - start)) for start in range(0, wide, width)]
        widths = sorted({one for _, one in cuts})
        kernels = [ConvolutionKernel(rows, 1, one, 1, Activation(), target.vector_bits) for one in widths]
        self._modules = [compile(kernel.ir(), target) for kernel in kernels]
        self._functions = np.array([module.address(convolution.NAME) for module in self._modules])
        self._tiles = np.array(
            [
                driver.TILE.pack(input=VECTOR * start, output=VECTOR * start, residual=0, kind=widths.index(one))
                for start, one in cuts
            ]
        )
        self._strides = convolution.STRIDES.pack(
            input_row=0, output_row=0, output_channel=self._pitch, residual_row=0, residual_channel=0
        )
        self._driver = compile(driver.ir(), target)

    def step(self, weights: NDArray[np.float32], group: int) -> KernelStep:
        """Return the step for some outputs' weights [points, outputs, inputs], given room for `group` outputs."""
        points, outputs, _ = weights.shape
        zeros = np.zeros(outputs, np.float32)
        entries, ends = _packed(weights, self._rows, self._pitch)
        slices = np.array([driver.SLICE.pack(entries=address(one), ends=address(ends)) for one in entries])
        chunks = np.array(
            [
                driver.CHUNK.pack(
                    bias=address(zeros),
                    kernels=address(self._functions),
                    slices=address(slices[point]),
                    output=point * group * self._pitch,
                    residual=0,
                    blocks=outputs // self._rows,
                )
                for point in range(points)
            ]
        )
        call = driver.ARGUMENTS.pack(
            input=address(self._before),
            output=address(self._after),
            residual=0,
            strides=address(self._strides),
            tiles=address(self._tiles),
            chunks=address(chunks),
            tile_count=len(self._tiles),
            slice_count=1,
            extra=0,
        )
        tasks, keep = len(self._tiles) * points, (self, zeros, entries, ends, slices, chunks)
        return KernelStep(self._name, "winograd", self._driver.address(driver.NAME), call, tasks, keep)


def transformed(command: Convolve, side: int) -> NDArray[np.float32]:
    """Return the weights in Winograd's domain, float32 [points, outputs, inputs * stride^2]."""
    weight = command.weight.dense().astype(np.float64)
    stride, taps = command.window.stride[0], _taps(command)
    outputs, inputs = weight.shape[:2]
    phases = np.zeros((outputs, inputs, stride, stride, taps, taps))
    for p in range(stride):
        for q in range(stride):
            part = weight[:, :, p::stride, q::stride]
            phases[:, :, p, q, : part.shape[2], : part.shape[3]] = part
    _, g, _ = winograd.matrices(side, taps)
    matrix = np.array(g, np.float64)
    points = np.einsum("ia,ocpqab,jb->ijocpq", matrix, phases, matrix)
    return points.reshape(len(matrix) ** 2, outputs, -1).astype(np.float32)


def _taps(command: Convolve) -> int:
    return -(-max(command.window.kernel) // command.window.stride[0])


def _packed(weights: NDArray[np.float32], rows: int, pitch: int) -> tuple[list[NDArray[np.int32]], NDArray[np.int32]]:
    """Return entries of each point, and the ends of the blocks, which are the same for all."""
    points, outputs, inputs = weights.shape
    blocks = outputs // rows
    ends = (np.arange(1, blocks + 1) * inputs).astype(np.int32)
    packed = []
    for point in range(points):
        entries = np.empty((blocks, inputs, 1 + rows), np.int32)
        entries[:, :, 0] = (point * inputs + np.arange(inputs)) * pitch
        values = weights[point].reshape(blocks, rows, inputs).transpose(0, 2, 1)
        entries[:, :, 1:] = np.ascontiguousarray(values).view(np.int32)
        packed.append(entries.reshape(-1, 1 + rows))
    return packed, ends
