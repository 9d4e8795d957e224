"""One call of machine code over a number of tasks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class KernelStep:
    """A function void(arguments, begin, end), its arguments, and how many tasks it has."""

    name: str
    """Of the layer."""
    kind: str
    """Of the command."""
    function: int
    """Address."""
    arguments: NDArray[np.int64]
    tasks: int
    keep: tuple[Any, ...] = field(default=(), repr=False)
    """Arrays and modules that the arguments point into."""
    flops: int = 0
    """Multiplications and additions, zeros left out."""
    before: tuple[int, ...] = ()
    """How many tasks come before each of the channels at which it was cut, and how many there are."""


def address(array: NDArray[Any]) -> int:
    """Return where an array's data begin."""
    return array.ctypes.data
