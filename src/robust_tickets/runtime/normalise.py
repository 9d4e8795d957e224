"""Layer norm as a step."""

import numpy as np

from robust_tickets.runtime.buffers import MapView
from robust_tickets.runtime.commands import LayerNorm
from robust_tickets.runtime.compiler import compile
from robust_tickets.runtime.kernels import layer_norm
from robust_tickets.runtime.step import Step, address, arguments
from robust_tickets.runtime.target import Target


def layer_norm_step(command: LayerNorm, arena: int, target: Target) -> Step:
    """Return the step that normalises over channels."""
    source, place = command.source, command.target
    channels = len(command.scale)
    scale, shift = np.ascontiguousarray(command.scale), np.ascontiguousarray(command.shift)
    constants = np.array([1 / channels, command.epsilon], np.float32)
    addresses = [source.address(arena), place.address(arena), address(scale), address(shift), address(constants)]
    if isinstance(source, MapView) and isinstance(place, MapView):
        high, wide = place.layout.block
        strides = (
            source.layout.channel_stride,
            source.layout.row_stride,
            place.layout.channel_stride,
            place.layout.row_stride,
        )
        text, name, tasks, numbers = layer_norm.map_ir(), layer_norm.MAP, high * wide, (channels, wide, *strides)
    else:
        text, name, tasks, numbers = layer_norm.plain_ir(), layer_norm.PLAIN, 1, (channels,)
    module = compile(text, target)
    call = arguments(*addresses, *numbers)
    keep = (scale, shift, constants, module)
    return Step(command.name, "layer norm", module.address(name), call, tasks, keep)
