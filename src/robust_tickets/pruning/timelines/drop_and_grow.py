"""Sparse throughout, with moving connections."""

import math
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import DropAndGrow, Prune
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import require_sparsity


class DropAndGrowTimeline(Settings):
    """One prune before training, then connections move at constant sparsity (RigL, arXiv 1911.11134).

    The first prune is by the draw's selection; the paper's is score `random` with scope `erk`. The fraction
    moved decays as fraction / 2 * (1 + cos(pi t / t_end)); from t_end on nothing moves. Single weights only.
    """

    kind: Literal["drop-and-grow"] = "drop-and-grow"
    every: int = Field(default=100, ge=1, description="Training steps between moves.")
    fraction: float = Field(default=0.3, gt=0.0, le=1.0, description="Fraction of the kept weights moved at the start.")
    end: float = Field(default=0.75, gt=0.0, le=1.0, description="Fraction of training after which nothing moves.")
    epochs: float = Field(default=100.0, gt=0.0, description="Total epochs; fractions allowed.")

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return the first prune, the moves, and the ticket at the end of training."""
        target = require_sparsity(sparsity, self.kind)
        steps = steps_of(self.epochs, steps_per_epoch)
        end = self.end * steps
        moves = [
            Event(
                step,
                (DropAndGrow(self.fraction / 2 * (1 + math.cos(math.pi * step / end))),),
                sparsity=target,
            )
            for step in range(self.every, math.ceil(end), self.every)
        ]
        return Plan(
            steps,
            (
                Event(0, (Prune(target),), sparsity=target),
                *moves,
                Event(steps, (), sparsity=target, ticket=True),
            ),
        )
