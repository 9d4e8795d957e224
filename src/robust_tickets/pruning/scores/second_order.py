"""Optimal Brain Surgeon by the empirical Fisher matrix: WoodFisher, M-FAC, oBERT, and OBD of its diagonal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.pruning.empirical_fisher import EmpiricalFisher
from robust_tickets.pruning.needs import EXAMPLES
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class SecondOrder(Score):
    """w^2 / (2 [F^-1]_qq): how much the loss rises without a weight, once the others have made up for it.

    F is the empirical Fisher matrix of gradients on training examples (see `EmpiricalFisher`). Blocks of consecutive
    weights are WoodFisher's (arXiv 2004.14340) and oBERT's (2203.07259); one block over everything is M-FAC's
    (2107.03356); blocks of one weight are its diagonal, as in Optimal Brain Damage. A group counts as the mean of its
    weights. With `compensate` the weights that stay move along, for all that goes at once.
    """

    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    reads_loss: ClassVar[bool] = True
    kind: Literal["second-order"] = "second-order"
    gradients: int = Field(default=64, ge=1, description="Number of gradients, m; the memory they take grows with it.")
    together: int = Field(default=1, ge=1, description="Training examples whose mean loss gives one gradient.")
    damping: float = Field(default=1e-5, gt=0, description="What is added to the diagonal of F.")
    block: int | None = Field(
        default=50, ge=1, description="Weights in a block of F; 1: its diagonal; null: one block over all layers."
    )
    compensate: bool = Field(default=True, description="Whether the weights that stay make up for those that go.")

    @property
    def compensates(self) -> bool:
        """Return whether weights move; of a diagonal none would."""
        return self.compensate and self.block != 1

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean rise of the loss of each group."""
        there = {name: weight.detach() != 0 for name, weight in weights.items()}
        return partition.reduce(self.fisher(statistics, there).saliencies(weights), "l1")

    def compensated(
        self,
        weights: Mapping[str, Tensor],
        before: Mapping[str, Tensor],
        after: Mapping[str, Tensor],
        statistics: Statistics,
        seed: int,
    ) -> Mapping[str, Tensor] | None:
        """Return the weights that stay where the loss rises least."""
        if not self.compensates:
            return None
        fisher = self.fisher(statistics, {name: before[name] for name in weights})
        return fisher.compensated(weights, {name: after[name] for name in weights})

    def fisher(self, statistics: Statistics | None, there: Mapping[str, Tensor]) -> EmpiricalFisher:
        """Return the matrix over the weights that are there."""
        assert statistics is not None
        gradients = statistics.gradients(self.gradients, self.together)
        return EmpiricalFisher(gradients, there, self.damping, self.block)
