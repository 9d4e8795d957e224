"""Single weights."""

from typing import ClassVar, Literal

from robust_tickets.pruning.groups.weight_group import WeightGroup
from robust_tickets.pruning.needs import SINGLE_WEIGHTS


class Element(WeightGroup):
    """Every weight by itself: unstructured sparsity."""

    provides: ClassVar[frozenset[str]] = frozenset({SINGLE_WEIGHTS})
    usual_scope: ClassVar[str] = "global"
    kind: Literal["element"] = "element"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return 1 x 1 x 1."""
        return 1, 1, 1

    def is_degenerate(self, shape: tuple[int, ...]) -> bool:
        """Return False: a single weight is what it claims."""
        return False
