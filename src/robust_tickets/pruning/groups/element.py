"""Single weights."""

from typing import Literal

from robust_tickets.pruning.groups.contiguous import ContiguousGroup


class Element(ContiguousGroup):
    """Every weight by itself: unstructured sparsity."""

    kind: Literal["element"] = "element"

    def size(self, shape: tuple[int, ...]) -> int:
        """Return 1."""
        return 1
