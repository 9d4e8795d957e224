"""Sparse throughout, with moving connections."""

import math
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.pruning.actions import DropAndGrow, Prune
from robust_tickets.pruning.growth import Growth
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import lengthened, min_steps_field, require_sparsity

DECAYS: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "constant": lambda progress: 1.0,
}
"""What is left of the fraction moved, by the share of the time that has passed."""


class DropAndGrowTimeline(Settings):
    """One prune before training, then connections move at constant sparsity.

    RigL (Evci et al., 2020, arXiv 1911.11134): what grows has the steepest gradients, and the fraction moved decays as
    fraction / 2 * (1 + cos(pi t / t_end)). SET (Mocanu et al., 2018, arXiv 1707.04780): `grow: random`, which needs no
    dense gradients, and `decay: constant`. From t_end on nothing moves. The first prune is by the draw's selection;
    both papers' is score `random` with scope `erk`. Single weights only.
    """

    kind: Literal["drop-and-grow"] = "drop-and-grow"
    every: int = Field(default=100, ge=1, description="Training steps between moves.")
    fraction: float = Field(default=0.3, gt=0.0, le=1.0, description="Fraction of the kept weights moved at the start.")
    end: float = Field(default=0.75, gt=0.0, le=1.0, description="Fraction of training after which nothing moves.")
    epochs: float = Field(default=100.0, gt=0.0, description="Total epochs; fractions allowed.")
    min_steps: int = min_steps_field()
    grow: Growth = later_field(
        "gradient", description="Which removed weights come: those of the largest |gradient|, or random ones."
    )
    decay: Literal["cosine", "constant"] = later_field(
        "cosine", description="How the fraction moved falls to 0 until `end`: along a cosine, or not at all."
    )

    def moved(self, progress: float) -> float:
        """Return the fraction of the kept weights that is moved when this share of the time until `end` has passed."""
        return self.fraction * DECAYS[self.decay](progress)

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return the first prune, the moves, and the ticket at the end of training."""
        target = require_sparsity(sparsity, self.kind)
        steps = steps_of(self.epochs, lengthened(steps_per_epoch, self.epochs, self.min_steps))
        end = self.end * steps
        moves = [
            Event(
                step,
                (DropAndGrow(self.moved(step / end), self.grow),),
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
