"""Alternating compressed and dense training."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import Prune, Restore
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import lengthened, min_steps_field, require_sparsity


class Alternating(Settings):
    """Dense warm-up, then sparse and dense phases in turn, then sparse to the end (AC/DC).

    Peste et al., 2021, arXiv 2106.12379. A compressed phase begins only if it and the dense phase after it
    end by `final`. The defaults give the paper's ImageNet schedule of 100 epochs: prune at 10, 20, ..., 70,
    restore at 15, 25, ..., 75, prune for good at 85.
    """

    kind: Literal["alternating"] = "alternating"
    warm_up: float = Field(default=10.0, ge=0.0, description="Dense epochs at the start; fractions allowed.")
    compressed: float = Field(default=5.0, gt=0.0, description="Epochs per sparse phase, at the target sparsity.")
    dense: float = Field(default=5.0, gt=0.0, description="Epochs per dense phase.")
    final: float = Field(default=85.0, ge=0.0, description="Epoch of the last prune, after which masks stay.")
    epochs: float = Field(default=100.0, gt=0.0, description="Total epochs of training.")
    min_steps: int = min_steps_field()

    @model_validator(mode="after")
    def _is_in_order(self) -> "Alternating":
        if not self.warm_up <= self.final <= self.epochs:
            raise ValueError(
                f"timeline 'alternating' needs warm_up <= final <= epochs, not {self.warm_up:g}, {self.final:g}, "
                f"{self.epochs:g}"
            )
        return self

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return prunes and restores in turn, the final prune, and the ticket at the end of training."""
        target = require_sparsity(sparsity, self.kind)
        per_epoch = lengthened(steps_per_epoch, self.epochs, self.min_steps)
        cycle = self.compressed + self.dense
        events = []
        count = 0
        while (begin := self.warm_up + count * cycle) + cycle <= self.final:
            events += [
                Event(steps_of(begin, per_epoch), (Prune(target),), sparsity=target),
                Event(steps_of(begin + self.compressed, per_epoch), (Restore(),), sparsity=0.0),
            ]
            count += 1
        steps = steps_of(self.epochs, per_epoch)
        events.append(Event(steps_of(self.final, per_epoch), (Prune(target),), sparsity=target))
        return Plan(steps, (*events, Event(steps, (), sparsity=target, ticket=True)))
