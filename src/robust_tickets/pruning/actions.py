"""What can happen at an event: each action is a small verb over a `Trainee`."""

from dataclasses import dataclass
from typing import Protocol

from robust_tickets.pruning.drop_and_grow import drop_and_grow
from robust_tickets.pruning.masks import full
from robust_tickets.pruning.trainee import Trainee


class Action(Protocol):
    """One thing done to a network at an event."""

    def apply(self, trainee: Trainee) -> None:
        """Do it."""
        ...


@dataclass(frozen=True)
class Prune:
    """Remove more, up to an absolute sparsity."""

    sparsity: float
    """Fraction removed afterwards, in [0, 1), counted from the dense network."""

    def apply(self, trainee: Trainee) -> None:
        """Select within the masks in force and put the result in force."""
        trainee.set_masks(trainee.select(self.sparsity))


@dataclass(frozen=True)
class Restore:
    """Lift every mask; restored weights start at zero and train again."""

    def apply(self, trainee: Trainee) -> None:
        """Put full masks in force."""
        trainee.set_masks(full(trainee.masks))


@dataclass(frozen=True)
class DropAndGrow:
    """Move connections at constant sparsity; grown weights start at zero."""

    fraction: float
    """Fraction of each layer's kept weights that is moved, in [0, 1]."""

    def apply(self, trainee: Trainee) -> None:
        """Drop by weight, grow by dense gradient, put the result in force."""
        trainee.set_masks(
            drop_and_grow(trainee.weights(), trainee.gradients(), trainee.masks, self.fraction, trainee.seed)
        )


@dataclass(frozen=True)
class Rewind:
    """Return weights, buffers, head, optimiser and schedule to the draw's rewind point; masks stay."""

    def apply(self, trainee: Trainee) -> None:
        """Rewind."""
        trainee.rewind()
