"""Gradual magnitude pruning."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import Prune
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import lengthened, min_steps_field, require_sparsity


class Gradual(Settings):
    """Sparsity rises along a cubic while training goes on (Zhu & Gupta, 2017, arXiv 1710.01878, eq. 1).

    s(t) = s_f + (s_i - s_f) (1 - (t - start) / (end - start))^3 at every prune, the last of which lands on
    the target at `end`; training goes on to `epochs`. Defaults are AC/DC's gradual baseline on ImageNet.
    """

    kind: Literal["gradual"] = "gradual"
    initial: float = Field(default=0.05, ge=0.0, lt=1.0, description="Sparsity at the first prune, s_i.")
    start: float = Field(default=1.0, ge=0.0, description="Epoch of the first prune; fractions allowed.")
    end: float = Field(default=40.0, gt=0.0, description="Epoch of the last prune.")
    every: float = Field(default=5.0, gt=0.0, description="Epochs between prunes.")
    epochs: float = Field(default=100.0, gt=0.0, description="Total epochs of training.")
    min_steps: int = min_steps_field()

    @model_validator(mode="after")
    def _is_in_order(self) -> "Gradual":
        if not self.start < self.end <= self.epochs:
            raise ValueError(
                f"timeline 'gradual' needs start < end <= epochs, not {self.start:g}, {self.end:g}, {self.epochs:g}"
            )
        return self

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return the prunes, and the ticket at the end of training."""
        target = require_sparsity(sparsity, self.kind)
        if self.initial > target:
            raise UserError(f"timeline 'gradual' has initial {self.initial:g}, above its target {target:g}")
        per_epoch = lengthened(steps_per_epoch, self.epochs, self.min_steps)
        prunes: dict[int, float] = {}
        count = 0
        while (epoch := self.start + count * self.every) < self.end:
            left = 1.0 - (epoch - self.start) / (self.end - self.start)
            prunes[steps_of(epoch, per_epoch)] = target + (self.initial - target) * left**3
            count += 1
        prunes[steps_of(self.end, per_epoch)] = target
        events = [Event(step, (Prune(now),), sparsity=now) for step, now in prunes.items() if now > 0.0]
        steps = steps_of(self.epochs, per_epoch)
        return Plan(steps, (*events, Event(steps, (), sparsity=target, ticket=True)))
