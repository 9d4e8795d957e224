"""What every scope can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor

Minimum = Annotated[
    int | None,
    Field(
        ge=0,
        description="Smallest number of groups that every layer keeps; absent: 1. With 0 a layer may lose all its "
        "groups.",
    ),
]
"""How many groups a scope that divides by layer leaves in each."""


@dataclass(frozen=True)
class PruningPool:
    """Units whose groups compete, and how many of those groups are to be removed in total."""

    units: tuple[str, ...]
    removed: int


class Scope(Settings):
    """Where scores compete."""

    def describe(self) -> str:
        """Return a few words for tables."""
        return str(self.model_dump()["kind"])

    @property
    def weighs_cost(self) -> bool:
        """Tell whether what a weight costs counts, and not its score alone."""
        return False

    def regardless_of_cost(self) -> Scope:
        """Return the same scope for scores alone."""
        return self

    def weighed(self, scores: dict[str, Tensor], statistics: Statistics | None) -> dict[str, Tensor]:
        """Return scores [groups] of each unit as they compete."""
        return scores

    @abstractmethod
    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Divide the units into pools, each with its exact count."""


def least_kept(unit: PruningUnit, minimum: int | None) -> int:
    """Return how many groups a unit keeps at any sparsity: no more than the current masks leave it."""
    return min(1 if minimum is None else minimum, unit.remaining)
