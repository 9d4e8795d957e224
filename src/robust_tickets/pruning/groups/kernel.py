"""Whole kernels."""

import math
from typing import Literal

from robust_tickets.pruning.groups.weight_group import WeightGroup


class Kernel(WeightGroup):
    """The weights (o, i, :, :) of a convolution: one kernel. A single weight where kernels are 1 x 1."""

    kind: Literal["kernel"] = "kernel"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return 1 x 1 x all kernel positions."""
        return 1, 1, math.prod(shape[2:])
