"""What every score can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.needs import NOTHING, RANKS_WEIGHTS
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Score(Settings, ABC):
    """Ranks groups: the lowest are removed first."""

    needs: ClassVar[frozenset[str]] = NOTHING
    reads_loss: ClassVar[bool] = False
    """Whether it reads gradients of the task's own loss, which needs labels."""
    provides: ClassVar[frozenset[str]] = frozenset({RANKS_WEIGHTS})
    scopes: ClassVar[tuple[str, ...] | None] = None
    """Kinds of scope that it works with, the usual one first; None: all."""
    groups: ClassVar[tuple[str, ...] | None] = None
    """Kinds of group that it works with; None: all."""
    says_sparsity: ClassVar[bool] = False
    """Whether it determines by itself how much is removed, so that no target is needed."""

    has_a_price: ClassVar[bool] = True
    """Whether it stands for a loss, which can be weighed against what a weight costs."""

    @abstractmethod
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

    @property
    def compensates(self) -> bool:
        """Whether weights that stay make up for those that go."""
        return False

    def compensated(
        self,
        weights: Mapping[str, Tensor],
        before: Mapping[str, Tensor],
        after: Mapping[str, Tensor],
        statistics: Statistics,
        seed: int,
    ) -> Mapping[str, Tensor] | None:
        """Return what weights become to make up for those that are about to go; None if they stay as they are.

        Args:
            weights: every prunable weight, before anything is removed.
            before: masks in force, True = kept.
            after: masks about to be in force; what they remove is ignored in the result.
            statistics: provider of what data say, at these weights.
            seed: of the draw.
        """
        return None

    def own_sparsity(self, weights: Mapping[str, Tensor], partition: Partition) -> float | None:
        """Return the fraction of groups that it says is removed, in [0, 1); None if it says none.

        Raises:
            UserError: these weights say none, and it should.
        """
        return None
