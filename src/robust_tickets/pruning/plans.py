"""A timeline worked out in training steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from robust_tickets.pruning.actions import Action, Prune
from robust_tickets.pruning.needs import LAST_TICKET, NO_TRAINING, SINGLE_PRUNE, TRAINING


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

    @property
    def rewinds(self) -> bool:
        """Return whether optimiser and schedule restart here."""
        return any(action.rewinds for action in self.actions)


@dataclass(frozen=True)
class Moment:
    """Where a training is before one of its steps."""

    step: int
    """The coming step, counted from 0."""
    steps: int
    """How many steps there are."""
    sparsity: float
    """Target of the last event, in [0, 1); 0 before the first."""

    @property
    def progress(self) -> float:
        """Return the share of the training that is done, in [0, 1)."""
        return self.step / self.steps


@dataclass(frozen=True)
class Plan:
    """How long to train, and what happens when."""

    steps: int
    """Total number of training steps; 0 means that nothing is trained."""
    events: tuple[Event, ...]
    """In order of steps."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return all that is done, in order."""
        return tuple(action for event in self.events for action in event.actions)

    @property
    def targets(self) -> tuple[float, ...]:
        """Return the sparsity of every prune, in order."""
        return tuple(action.target for action in self.actions if action.target is not None)

    @property
    def needs(self) -> frozenset[str]:
        """Return what the other parts of a draw have to provide."""
        return frozenset().union(*(action.needs for action in self.actions))

    @property
    def provides(self) -> frozenset[str]:
        """Return what the other parts of a draw may rely on."""
        single = len(self.targets) == sum(action.sets_masks for action in self.actions) == 1
        only_prunes = all(action.target is not None for action in self.actions if action.sets_masks)
        last = only_prunes and [event.step for event in self.events if event.ticket] == [self.steps]
        given = {SINGLE_PRUNE: single, LAST_TICKET: last, TRAINING: self.steps > 0, NO_TRAINING: not self.steps}
        own = frozenset().union(*(action.provides for action in self.actions))
        return own | frozenset(name for name, is_given in given.items() if is_given)

    @property
    def removes_channels(self) -> bool:
        """Return whether the network itself becomes smaller on the way."""
        return any(action.removes_channels for action in self.actions)

    def with_rungs(self, sparsities: Iterable[float]) -> Plan:
        """Return the plan with tickets of lower sparsities before its last one, at the same step and nested.

        For what trains alike whatever the target is; other sparsities are left out.
        """
        last = self.events[-1]
        others = tuple(action for action in last.actions if action.target is None)
        lower = sorted({sparsity for sparsity in sparsities if sparsity < last.sparsity})
        rungs = [Event(last.step, (Prune(sparsity), *others), sparsity, ticket=True) for sparsity in lower]
        return Plan(self.steps, (*self.events[:-1], *rungs, last))

    def moment(self, step: int) -> Moment:
        """Return where the training is before step `step`, whose events have happened."""
        passed = [event.sparsity for event in self.events if event.step <= step]
        return Moment(step, self.steps, passed[-1] if passed else 0.0)


def steps_of(epochs: float, steps_per_epoch: float) -> int:
    """Return the number of steps nearest to a (fractional) number of epochs, halves rounded up."""
    return math.floor(epochs * steps_per_epoch + 0.5)
