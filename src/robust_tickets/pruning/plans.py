"""A timeline worked out in training steps."""

import math
from dataclasses import dataclass

from robust_tickets.pruning.actions import Action


@dataclass(frozen=True)
class Event:
    """Something that happens between two training steps."""

    step: int
    """It happens before training step `step`, counted from 0; `Plan.steps` means after the last."""
    actions: tuple[Action, ...]
    """Applied in order."""
    sparsity: float
    """Target sparsity of the masks in force afterwards, in [0, 1)."""
    ticket: bool = False
    """Whether masks and weights afterwards are a ticket of that sparsity."""


@dataclass(frozen=True)
class Plan:
    """How long to train, and what happens when."""

    steps: int
    """Training steps in all; 0 means that nothing is trained."""
    events: tuple[Event, ...]
    """In order of steps."""


def steps_of(epochs: float, steps_per_epoch: int) -> int:
    """Return the number of steps nearest to a (fractional) number of epochs, halves rounded up."""
    return math.floor(epochs * steps_per_epoch + 0.5)
