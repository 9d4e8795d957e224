"""Metrics of a whole set: fractions that are no means over images, so that networks are not compared image by image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.batch import moved
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.chance import Crossed
from robust_tickets.measures.figure import FRACTION, Bounds
from robust_tickets.measures.logits import Batches

if TYPE_CHECKING:
    from torch import Tensor


class SetMetric(ABC):
    """A metric that adds up batches and is computed once, from all of them.

    Args:
        classes: names, in the order of labels.
    """

    key: ClassVar[str]
    """Its name in files: lower case."""
    unit: Unit = PERCENT
    bounds: Bounds = FRACTION
    higher_is_better: bool = True
    has_pairs: ClassVar[bool] = False

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    @abstractmethod
    def fresh(self) -> Any:
        """Return what batches are added to."""

    @abstractmethod
    def add(self, total: Any, outputs: Any, targets: Any) -> None:
        """Add what a network returned for one batch, in place; `targets` are on the same device."""

    @abstractmethod
    def kept(self, total: Any) -> Tensor:
        """Return what is kept of all batches."""

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return what is kept, of the images as they are and under each attacker, which meets every image."""
        totals = [self.fresh() for _ in range(len(attackers) + 1)]
        for images, targets in batches:
            with torch.no_grad():
                outputs = predict(images)
            images, targets = moved(images, outputs.device), moved(targets, outputs.device)
            self.add(totals[0], outputs, targets)
            for attacker, total in zip(attackers, totals[1:], strict=True):
                adversarial = attacker(images, targets)
                with torch.no_grad():
                    self.add(total, predict(adversarial), targets)
        return [self.kept(total) for total in totals]

    def interval(self, measured: Tensor) -> Interval | None:
        """Return None: what is kept are no independent draws, one for each image."""
        return None

    def paired(self, ticket: Sequence[Tensor], dense: Sequence[Tensor]) -> Crossed | None:
        """Return None, as `interval` does; the decision rests on the spread between seeds."""
        return None
