"""Rows of kernels."""

from typing import Literal

from robust_tickets.pruning.groups.weight_group import WeightGroup


class Row(WeightGroup):
    """The weights (o, i, h, :) of a convolution; a single weight where kernels are 1 wide."""

    kind: Literal["row"] = "row"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return 1 x 1 x kernel width."""
        return 1, 1, shape[-1] if len(shape) > 2 else 1
