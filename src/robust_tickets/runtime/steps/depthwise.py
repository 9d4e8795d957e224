"""A depthwise convolution as a step."""

import numpy as np

from robust_tickets.runtime.kernels import depthwise
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Depthwise
from robust_tickets.runtime.steps.step import KernelStep, address


def depthwise_step(command: Depthwise, arena: int, target: Target) -> KernelStep:
    """Return the step that convolves each channel by itself; its tasks are channels."""
    source, out = command.source.layout, command.target.layout
    module = compile(command.kernel.ir(target.held_vectors), target)
    channels = len(command.bias)
    number = np.arange(channels)
    # Of a map that has fewer channels, the first is that of each cut.
    begun = np.array(command.edges or (0, channels))
    origin = begun[np.searchsorted(begun, number, side="right") - 1]
    places = np.stack(
        [
            (number - origin * (view.layout.channels < channels)) * view.layout.channel_stride
            for view in (command.source, command.target)
        ],
        axis=1,
    )
    places = np.ascontiguousarray(places, np.int64)
    weights, bias = np.ascontiguousarray(command.weights), np.ascontiguousarray(command.bias)
    call = depthwise.ARGUMENTS.pack(
        input=command.source.address(arena),
        output=command.target.address(arena),
        weights=address(weights),
        bias=address(bias),
        places=address(places),
        input_row=source.row_stride,
        output_row=out.row_stride,
    )
    flops = 2 * int(np.count_nonzero(weights)) * out.height * out.width
    return KernelStep(
        command.name,
        "depthwise",
        module.address(depthwise.NAME),
        call,
        channels,
        (module, weights, bias, places),
        flops,
        before=command.edges,
    )
