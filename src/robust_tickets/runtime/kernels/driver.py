"""What walks over the tiles of a layer and calls its kernels."""

from robust_tickets.runtime.kernels.convolution import FIRST, LAST, PARAMETERS
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.record import Record

NAME = "convolve"

ARGUMENTS = Record(
    addresses=("input", "output", "residual", "strides", "tiles", "chunks"),
    numbers=("tile_count", "slice_count", "extra"),
)
"""Three maps; the kernels' `STRIDES`; a table of `TILE` and one of `CHUNK`.

How many tiles there are; slices of a chunk; the mode bit of the residual, or 0.
"""

TILE = Record(numbers=("input", "output", "residual", "kind"))
"""Byte offsets of a tile in the three maps, and which of a chunk's kernels has its shape."""

CHUNK = Record(addresses=("bias", "kernels", "slices"), numbers=("output", "residual", "blocks"))
"""Some output channels: their bias, kernels by kind of tile, and table of `SLICE`; byte offsets of the first in output
and residual, and blocks of rows."""

SLICE = Record(addresses=("entries", "ends"))
"""The weights that read some of the input channels: what fits the first-level cache with a tile."""


def ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = chunk * tiles + tile."""
    f = Function.over_tasks(NAME, ARGUMENTS)
    with f.tasks() as task:
        first, second = f.split(task, f["tile_count"])
        chunk = f.fields(f.at(f["chunks"], (first, CHUNK.size)), CHUNK)
        tile = f.fields(f.at(f["tiles"], (second, TILE.size)), TILE)
        kernel = f.load(f.at(chunk["kernels"], (tile["kind"], 8)), "ptr")
        source = f.at(f["input"], tile["input"])
        output = f.at(f["output"], tile["output"], chunk["output"])
        residual = f.at(f["residual"], tile["residual"], chunk["residual"])
        last = f.minus(f["slice_count"], 1)
        at_first = f.plus(f["extra"], FIRST)
        with f.loop(0, f["slice_count"], unroll=False) as loop:
            begun = f.choose(f.equal(loop.index, 0), at_first, 0)
            ended = f.choose(f.equal(loop.index, last), LAST, 0)
            f.call(
                kernel,
                PARAMETERS,
                input=source,
                output=output,
                residual=residual,
                **f.fields(f.at(chunk["slices"], (loop.index, SLICE.size)), SLICE),
                bias=chunk["bias"],
                strides=f["strides"],
                blocks=chunk["blocks"],
                mode=f.plus(begun, ended),
            )
    return f.text()
