"""Layer norm as a step."""

import numpy as np

from robust_tickets.runtime.kernels import layer_norm
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.commands import LayerNorm
from robust_tickets.runtime.steps.step import KernelStep, address


def layer_norm_step(command: LayerNorm, arena: int, target: Target) -> KernelStep:
    """Return the step that normalises over channels."""
    source, place = command.source, command.target
    channels = len(command.scale)
    scale, shift = np.ascontiguousarray(command.scale), np.ascontiguousarray(command.shift)
    constants = np.array([1 / channels, command.epsilon], np.float32)
    if isinstance(source, MapView) and isinstance(place, MapView):
        high, wide = place.layout.block
        text, tasks = layer_norm.map_ir(), high * wide
        strides = {
            "columns": wide,
            "source_channel": source.layout.channel_stride,
            "source_row": source.layout.row_stride,
            "target_channel": place.layout.channel_stride,
            "target_row": place.layout.row_stride,
        }
    else:
        text, tasks = layer_norm.plain_ir(), 1
        strides = dict.fromkeys(layer_norm.MAP_NUMBERS, 0)
    module = compile(text, target)
    call = layer_norm.ARGUMENTS.pack(
        source=source.address(arena),
        target=place.address(arena),
        scale=address(scale),
        shift=address(shift),
        constants=address(constants),
        channels=channels,
        **strides,
    )
    keep = (scale, shift, constants, module)
    return KernelStep(command.name, "layer norm", module.address(layer_norm.NAME), call, tasks, keep)
