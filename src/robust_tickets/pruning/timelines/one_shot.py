"""Prune at one moment."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.pruning.actions import Prune, Rewind
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.iterative import equal_shares
from robust_tickets.pruning.timelines.timeline import require_sparsity


class OneShot(Settings):
    """Train for `epochs` (0: not at all), prune to the target, rewind.

    With 0 epochs this is one-shot magnitude pruning of a pretrained network (OMP). In several `rounds` scores are
    computed anew after each, without training in between; 1-(1-s)^(k/n) is removed after k of n (SynFlow: Tanaka et
    al., 2020, arXiv 2006.05467, alg. 1).
    """

    kind: Literal["one-shot"] = "one-shot"
    epochs: float = Field(default=0.0, ge=0.0, description="Epochs of training before the prune; fractions allowed.")
    rounds: int = later_field(
        1,
        ge=1,
        description="Number of prunes, one directly after the other, each by scores of what the last one left; for "
        "scores that depend on what else is there (100 in SynFlow).",
    )

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return one event, after the last step."""
        target = require_sparsity(sparsity, self.kind)
        steps = steps_of(self.epochs, steps_per_epoch)
        prunes = tuple(Prune(now) for now in equal_shares(target, self.rounds))
        return Plan(steps, (Event(steps, (*prunes, Rewind()), sparsity=target, ticket=True),))
