"""Draw early in training."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import CompareDraws, Prune, Rewind
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import require_sparsity


class Early(Settings):
    """Train, prune once within the first epoch, rewind; sooner if successive draws hardly differ (early-bird tickets).

    Every `every` steps masks are drawn and compared with those before: their distance is the fraction of prunable
    weights that one keeps and the other does not. You et al., 2020, arXiv 1909.11957 (five distances in a row below
    .1); EarlyBERT (Chen et al., 2021, arXiv 2101.00063) draws at a fixed time, .2 of the first epoch.
    """

    kind: Literal["early"] = "early"
    epochs: float = Field(default=0.2, gt=0.0, description="Epochs before the prune at the latest; fractions allowed.")
    every: int = Field(default=10, ge=1, description="Training steps between draws that are compared.")
    threshold: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Distance of draws below which the prune comes at once; 0: never."
    )
    times: int = Field(default=1, ge=1, description="How many distances in a row have to be below the threshold.")

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return the comparisons, and the prune after the last step."""
        target = require_sparsity(sparsity, self.kind)
        steps = max(1, steps_of(self.epochs, steps_per_epoch))
        compare = CompareDraws(target, self.threshold, self.times)
        looks = [Event(step, (compare,), sparsity=0.0) for step in range(self.every, steps, self.every)]
        last = Event(steps, (compare, Prune(target), Rewind()), sparsity=target, ticket=True)
        return Plan(steps, (*looks, last))
