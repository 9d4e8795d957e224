"""What every scope can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from robust_tickets.pruning.partitions import PruningUnit

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


class Scope(Protocol):
    """Where scores compete."""

    @property
    def kind(self) -> str:
        """Name of the scope."""
        ...

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Divide the units into pools, each with its exact count."""
        ...


def least_kept(unit: PruningUnit, minimum: int | None) -> int:
    """Return how many groups a unit keeps at any sparsity: no more than the current masks leave it."""
    return min(1 if minimum is None else minimum, unit.remaining)
