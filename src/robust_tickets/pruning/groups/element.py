"""Single weights."""

from typing import Literal

from robust_tickets.pruning.groups.weight_group import WeightGroup


class Element(WeightGroup):
    """Every weight by itself: unstructured sparsity."""

    kind: Literal["element"] = "element"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return 1 x 1 x 1."""
        return 1, 1, 1
