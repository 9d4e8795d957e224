"""Filters: the papers' "channel-wise" pattern."""

import math
from typing import Literal

from robust_tickets.pruning.groups.weight_group import WeightGroup


class Filter(WeightGroup):
    """The weights (o, :, :, :): all that make one output, without its bias or norm.

    A removed filter's output is a constant, not zero, and cannot be cut out; `channel` and `neuron` can.
    """

    kind: Literal["filter"] = "filter"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return 1 x all inputs x all kernel positions."""
        return 1, shape[1], math.prod(shape[2:])
