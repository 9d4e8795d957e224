"""What every scope can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from robust_tickets.pruning.partitions import Unit


@dataclass(frozen=True)
class Pool:
    """Units whose groups compete, and how many of those groups are to be removed in all."""

    units: tuple[str, ...]
    removed: int


class Scope(Protocol):
    """Where scores compete."""

    @property
    def kind(self) -> str:
        """Name of the scope."""
        ...

    def pools(self, units: Mapping[str, Unit], sparsity: float) -> list[Pool]:
        """Divide the units into pools, each with its exact count."""
        ...
