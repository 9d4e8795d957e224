"""Normalisation over the channels at each pixel (layer norm of ConvNeXt)."""

from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.layout import LANES, VECTOR
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import V

NAME = "layer_norm"

MAP_NUMBERS = ("columns", "source_channel", "source_row", "target_channel", "target_row")

ARGUMENTS = Record(
    addresses=("source", "target", "scale", "shift", "constants"),
    numbers=("channels", *MAP_NUMBERS),
)
"""Both values; float32 [channels] twice; float32 {1 / channels, epsilon}.

Numbers of channels and of vectors in a row, and strides in bytes: of a plain value only the first is read.
"""


def map_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = row * columns + column."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        share, epsilon = _constants(f)
        row, column = f.split(task, f["columns"])
        source = f.at(f["source"], (row, f["source_row"]), (column, VECTOR))
        target = f.at(f["target"], (row, f["target_row"]), (column, VECTOR))

        def pixels(channel: str) -> str:
            return f.load(f.at(source, (channel, f["source_channel"])), alignment=VECTOR)

        with f.loop(0, f["channels"], values=[(V, "zeroinitializer")]) as loop:
            loop.next = [f.code.add(loop.values[0], pixels(loop.index))]
        mean = f.code.multiply(loop.values[0], share)
        with f.loop(0, f["channels"], values=[(V, "zeroinitializer")]) as loop:
            distance = f.code.subtract(pixels(loop.index), mean)
            loop.next = [f.code.multiply_add(distance, distance, loop.values[0])]
        deviation = f.code.square_root(f.code.multiply_add(loop.values[0], share, epsilon))
        with f.loop(0, f["channels"]) as loop:
            normal = f.code.divide(f.code.subtract(pixels(loop.index), mean), deviation)
            scale, shift = (f.load_splat(f.at(f[name], (loop.index, 4))) for name in ("scale", "shift"))
            result = f.code.multiply_add(normal, scale, shift)
            f.store(result, f.at(target, (loop.index, f["target_channel"])), alignment=VECTOR)
    return f.text()


def plain_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end): one task, the channels of one pixel side by side."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks():
        share, epsilon = _constants(f)

        def part(name: str, channel: str) -> tuple[str, str]:
            """Return sixteen numbers from a channel on, zero behind the last, and the mask of those that there are."""
            mask = f.code.first_lanes(f.minus(f["channels"], channel))
            return f.load_lanes(f.at(f[name], (channel, 4)), mask), mask

        with f.loop(0, f["channels"], LANES, [(V, "zeroinitializer")], unroll=False) as loop:
            loop.next = [f.code.add(loop.values[0], part("source", loop.index)[0])]
        mean = f.code.multiply(f.code.splat(f.code.sum(loop.values[0])), share)
        with f.loop(0, f["channels"], LANES, [(V, "zeroinitializer")], unroll=False) as loop:
            values, mask = part("source", loop.index)
            distance = f.code.where(mask, f.code.subtract(values, mean), "zeroinitializer")
            loop.next = [f.code.multiply_add(distance, distance, loop.values[0])]
        power = f.code.splat(f.code.sum(loop.values[0]))
        deviation = f.code.square_root(f.code.multiply_add(power, share, epsilon))
        with f.loop(0, f["channels"], LANES, unroll=False) as loop:
            (values, mask), (scale, _), (shift, _) = (part(name, loop.index) for name in ("source", "scale", "shift"))
            normal = f.code.divide(f.code.subtract(values, mean), deviation)
            f.store_lanes(f.code.multiply_add(normal, scale, shift), f.at(f["target"], (loop.index, 4)), mask)
    return f.text()


def _constants(f: Function) -> tuple[str, str]:
    """Return 1 / channels and epsilon in all lanes."""
    return f.load_splat(f["constants"]), f.load_splat(f.at(f["constants"], 4))
