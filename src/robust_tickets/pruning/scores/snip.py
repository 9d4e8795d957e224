"""Connection sensitivity: how much the loss depends on whether a weight is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.pruning.needs import EXAMPLES
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Snip(Score):
    """|dL/dm| = |w g|, m a factor of 1 before the weight, g the gradient of the mean loss (SNIP).

    Lee et al., 2019, arXiv 1810.02340, where it is divided by its sum: that changes no rank and is left out. In several
    rounds (`timeline.rounds`) it is Iterative SNIP (de Jorge et al., 2021, arXiv 2006.09081). A group counts as the
    mean of its weights.
    """

    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    reads_loss: ClassVar[bool] = True
    kind: Literal["snip"] = "snip"
    examples: int = Field(default=128, ge=1, description="Training examples whose mean loss is looked at.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean sensitivity of each group."""
        assert statistics is not None
        gradients = statistics.gradients(1, self.examples)
        found = {name: (weight.detach().float() * gradients[name][0]).abs() for name, weight in weights.items()}
        return partition.reduce(found, "l1")
