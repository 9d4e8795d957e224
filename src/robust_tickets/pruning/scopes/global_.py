"""All groups of the network against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.settings import later_field
from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes.scope import PruningPool, Scope
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class GlobalScope(Scope):
    """One pool: floor(s G + 1/2) of all G groups are removed, wherever they are.

    By size alone, the weights that stay are those of early layers, which are few and are multiplied at thousands of
    pixels. To keep the most for the multiply-adds that stay, rank by loss per multiply-add, as a knapsack is packed:
    `cost` 0.5 for magnitudes, whose squares are losses, 1 for scores that are losses. Early layers then lose most, and
    small ones may lose all: exempt them.
    """

    kind: Literal["global"] = "global"
    cost: float = later_field(
        0.0,
        ge=0,
        le=1,
        description="Power of a weight's multiply-adds for one example by which its score is divided: 0 to rank by "
        "score alone, 0.5 for magnitudes per multiply-add, 1 for scores that are losses.",
    )

    def describe(self) -> str:
        """Return a few words for tables."""
        return f"global, by score per multiply-adds^{self.cost:g}" if self.cost else "global"

    @property
    def weighs_cost(self) -> bool:
        """Tell whether multiply-adds count."""
        return self.cost > 0

    def regardless_of_cost(self) -> GlobalScope:
        """Return the same scope for scores alone."""
        return GlobalScope()

    def weighed(self, scores: dict[str, Tensor], statistics: Statistics | None) -> dict[str, Tensor]:
        """Return scores per multiply-add.

        Raises:
            UserError: nothing says how often a weight is multiplied.
        """
        if not self.weighs_cost:
            return scores
        if statistics is None:
            raise UserError("scope.cost needs a network, to count how often its weights are multiplied; leave it out")
        factors = {name: times**self.cost for name, times in statistics.multiplications().items()}
        # What is gained by removing a group counts more, not less, where the group costs much.
        return {
            name: torch.where(score < 0, score * factors[name], score / factors[name]) for name, score in scores.items()
        }

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return the one pool of all units."""
        return [PruningPool(tuple(units), exact_count(sparsity, sum(unit.groups for unit in units.values())))]
