"""Prune once."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import Prune, Rewind
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import require_sparsity


class OneShot(Settings):
    """Train for `epochs` (0: not at all), prune once to the target, rewind.

    With 0 epochs this is one-shot magnitude pruning of a pretrained network (OMP).
    """

    kind: Literal["one-shot"] = "one-shot"
    epochs: float = Field(default=0.0, ge=0.0, description="Epochs of training before the prune; fractions allowed.")

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return one event, after the last step."""
        target = require_sparsity(sparsity, self.kind)
        steps = steps_of(self.epochs, steps_per_epoch)
        return Plan(steps, (Event(steps, (Prune(target), Rewind()), sparsity=target, ticket=True),))
