"""What every score can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Score(Protocol):
    """Ranks groups: the lowest are removed first."""

    @property
    def kind(self) -> str:
        """Name of the score."""
        ...

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return a fresh, finite tensor [groups] for each unit of the partition.

        Args:
            weights: every prunable weight.
            partition: their division into groups.
            statistics: provider for data-dependent scores.
            seed: of the draw; streams are derived from it by name.
        """
        ...


@runtime_checkable
class OwnSparsity(Protocol):
    """A score that says by itself how much goes, so that no target is asked for."""

    scopes: ClassVar[tuple[str, ...]]
    """Kinds of scope that it goes with."""
    groups: ClassVar[tuple[str, ...]]
    """Kinds of group that it goes with."""

    def own_sparsity(self, weights: Mapping[str, Tensor], partition: Partition) -> float:
        """Return the fraction of groups removed, in [0, 1).

        Raises:
            UserError: these weights say none.
        """
        ...
