"""What can happen at an event: each action is a small verb over a `Trainee`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from robust_tickets.pruning.drop_and_grow import drop_and_grow
from robust_tickets.pruning.growth import GROWTHS, Growth
from robust_tickets.pruning.masks import full
from robust_tickets.pruning.needs import (
    CHANNEL_GAINS,
    COUPLED_GROUPS,
    NOTHING,
    RANKS_WEIGHTS,
    READS_LEARNED_SCORES,
    SINGLE_WEIGHTS,
)
from robust_tickets.pruning.trainee import Trainee


class Action(ABC):
    """One thing done to a network at an event."""

    needs: ClassVar[frozenset[str]] = NOTHING
    """What other parts of the draw must provide for it."""
    provides: ClassVar[frozenset[str]] = NOTHING
    """What other parts of the draw may rely on because of it."""
    sets_masks: ClassVar[bool] = True
    """Whether other masks are in force afterwards."""
    removes_channels: ClassVar[bool] = False
    """Whether it takes channels out of the network, whose tensors become smaller."""
    rewinds: ClassVar[bool] = False
    """Whether optimiser and schedule restart afterwards."""
    verb: ClassVar[str]
    """What it does, in a word or two for readers."""
    mark: ClassVar[str] = ""
    """How a picture of a timeline marks it; empty: not at all."""

    @property
    def amount(self) -> float | None:
        """Return how much of what is kept it concerns, in [0, 1]; None if that is no number of its own."""
        return None

    @property
    def target(self) -> float | None:
        """Return the sparsity it prunes to, in [0, 1); None if it does not prune."""
        return None

    @abstractmethod
    def apply(self, trainee: Trainee) -> None:
        """Do it."""


@dataclass(frozen=True)
class Prune(Action):
    """Remove more, up to an absolute sparsity."""

    verb: ClassVar[str] = "prune"
    mark: ClassVar[str] = "prune"

    sparsity: float
    """Fraction removed afterwards, in [0, 1), counted from the dense network."""
    for_now: bool = False
    """Whether weights that go keep their values, for `Reactivate` to bring back."""

    @property
    def target(self) -> float:
        """Return the sparsity afterwards."""
        return self.sparsity

    def apply(self, trainee: Trainee) -> None:
        """Select within the masks in force, and put the result in force; the rest makes up for what goes for good."""
        masks = trainee.select(self.sparsity)
        if self.for_now:
            trainee.set_aside(masks)
        else:
            trainee.compensate(masks)
        trainee.set_masks(masks)


@dataclass(frozen=True)
class Restore(Action):
    """Lift every mask; restored weights start at zero and train again."""

    verb: ClassVar[str] = "restore all weights"
    mark: ClassVar[str] = "restore"

    def apply(self, trainee: Trainee) -> None:
        """Put full masks in force."""
        trainee.set_masks(full(trainee.masks))


@dataclass(frozen=True)
class Reactivate(Action):
    """Lift every mask; restored weights have the values with which the last prune removed them (SuperTickets)."""

    verb: ClassVar[str] = "reactivate all weights"
    mark: ClassVar[str] = "restore"

    def apply(self, trainee: Trainee) -> None:
        """Put full masks in force, and values back."""
        trainee.set_masks(full(trainee.masks))
        trainee.bring_back()


@dataclass(frozen=True)
class RemoveIdle(Action):
    """Take channels whose gains training has brought to zero out of the network, for good (SuperTickets)."""

    needs: ClassVar[frozenset[str]] = frozenset({CHANNEL_GAINS, RANKS_WEIGHTS, SINGLE_WEIGHTS})
    provides: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, COUPLED_GROUPS})
    removes_channels: ClassVar[bool] = True
    verb: ClassVar[str] = "remove idle channels"
    mark: ClassVar[str] = "remove"

    threshold: float
    """Largest gain, |gamma|, of an idle channel."""
    frees: float
    """Fewest multiply-adds that go with them, as a share of the dense network's; otherwise nothing is removed yet."""
    most: float
    """Sparsity that the network must not pass by it, in [0, 1), counted from the dense network."""

    def apply(self, trainee: Trainee) -> None:
        """Remove them."""
        trainee.remove_idle(self.threshold, self.frees, self.most)


@dataclass(frozen=True)
class DropAndGrow(Action):
    """Move connections at constant sparsity; grown weights start at zero."""

    needs: ClassVar[frozenset[str]] = frozenset({SINGLE_WEIGHTS})
    verb: ClassVar[str] = "drop and grow"
    mark: ClassVar[str] = "drop and grow"

    fraction: float
    """Fraction of each layer's kept weights that is moved, in [0, 1]."""
    growth: Growth = "gradient"
    """Where they grow."""

    @property
    def amount(self) -> float:
        """Return the fraction that is moved."""
        return self.fraction

    def apply(self, trainee: Trainee) -> None:
        """Drop by weight, grow by gradient or chance, put the result in force."""
        ranks = GROWTHS[self.growth](trainee)
        trainee.set_masks(drop_and_grow(trainee.weights(), ranks, trainee.masks, self.fraction, trainee.seed))


@dataclass(frozen=True)
class CompareDraws(Action):
    """Draw, only to see how far it is from the draw before; end the training once draws hardly differ."""

    sets_masks: ClassVar[bool] = False
    verb: ClassVar[str] = "compare draws"
    mark: ClassVar[str] = "compare"

    sparsity: float
    """At which it is drawn, in [0, 1)."""
    threshold: float
    """Distance below which draws hardly differ: fraction of prunable weights; 0 never ends the training."""
    times: int
    """How many distances in a row have to be below it."""

    def apply(self, trainee: Trainee) -> None:
        """Draw and compare; nothing is removed."""
        masks = trainee.select(self.sparsity)
        trainee.history.add(trainee.step, {name: masks[name] for name in trainee.weights()})
        if trainee.history.has_settled(self.threshold, self.times):
            trainee.finish()


@dataclass(frozen=True)
class Rewind(Action):
    """Return weights, buffers, head, optimiser and schedule to the draw's rewind point; masks stay."""

    sets_masks: ClassVar[bool] = False
    rewinds: ClassVar[bool] = True
    verb: ClassVar[str] = "rewind"
    mark: ClassVar[str] = "rewind"

    def apply(self, trainee: Trainee) -> None:
        """Rewind."""
        trainee.rewind()
