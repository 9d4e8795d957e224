"""Metrics of a whole set, which are no means over examples: networks are compared part by part of the set.

What each part contributes is known by what the metric is without it: the pseudo-values of the jackknife over parts
(Quenouille, 1956; Tukey, 1958), whose mean is the metric but for its bias, and whose variance is that of its estimate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.batch import moved
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.chance import Crossed, crossed_parts
from robust_tickets.measures.figure import FRACTION, Bounds
from robust_tickets.measures.logits import Batches

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.measures.metric import InParts


class SetMetric(ABC):
    """A metric that is computed once, from the totals of all batches.

    Args:
        classes: names, in the order of labels.
    """

    key: ClassVar[str]
    """Its name in files: lower case."""
    unit: Unit = PERCENT
    bounds: Bounds = FRACTION
    higher_is_better: bool = True
    has_pairs: ClassVar[bool] = False
    parts: ClassVar[int] = 50
    """In how many parts a set is measured, at most."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    @abstractmethod
    def of_batch(self, outputs: Any, targets: Any) -> Any:
        """Return the total of what a network returned for one batch; `targets` are on the same device."""

    @abstractmethod
    def value(self, measured: Tensor) -> float:
        """Return the metric, in its own unit, from what is kept."""

    def kept(self, total: Any) -> Tensor:
        """Return what is kept of all batches, from their merged total. By default that is a tensor, and is kept."""
        return total

    def merged(self, totals: Sequence[Any]) -> Any:
        """Return the total of several parts of a set; nothing is changed. By default totals are tensors, and add up."""
        return torch.stack(list(totals)).sum(0)

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return what is kept, of the images as they are and under each attacker, which meets every image."""
        return [self.kept(self.merged(totals)) for totals in self._totals(predict, batches, attackers)]

    def measured_in_parts(
        self, predict: Predict, parts: Iterable[Batches], attackers: Sequence[Attacker] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """Return what is kept, under the last attacker if there is one, and the metric without each part in turn.

        Args:
            predict: what is measured.
            parts: the batches of each part.
            attackers: as in `measured`.

        Returns:
            what `measured` returns last, and float64 [parts]; None with a single part.
        """
        totals = [self.merged(self._totals(predict, batches, attackers)[-1]) for batches in parts]
        whole = self.kept(self.merged(totals))
        if len(totals) < 2:
            return whole, None
        left = [self.value(self.kept(self.merged(totals[:out] + totals[out + 1 :]))) for out in range(len(totals))]
        return whole, torch.tensor(left, dtype=torch.float64)

    def _totals(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker]) -> list[list[Any]]:
        """Return the totals of batches: of the images as they are, and under each attacker."""
        totals: list[list[Any]] = [[] for _ in range(len(attackers) + 1)]
        for images, targets in batches:
            with torch.no_grad():
                outputs = predict(images)
            images, targets = moved(images, outputs.device), moved(targets, outputs.device)
            totals[0].append(self.of_batch(outputs, targets))
            for attacker, under in zip(attackers, totals[1:], strict=True):
                adversarial = attacker(images, targets)
                with torch.no_grad():
                    under.append(self.of_batch(predict(adversarial), targets))
        return totals

    def interval(self, measured: Tensor) -> Interval | None:
        """Return None: what is kept are no independent draws, one for each image."""
        return None

    def paired(self, ticket: Sequence[InParts], dense: Sequence[InParts], examples: int) -> Crossed | None:
        """Return the differences part by part; None if networks were not measured in the same parts."""
        parts = {None if one.without is None else len(one.without) for one in (*ticket, *dense)}
        if len(parts) > 1 or None in parts:
            return None
        return crossed_parts(self._in_parts(ticket), self._in_parts(dense), examples)

    def _in_parts(self, measured: Sequence[InParts]) -> list[tuple[float, Tensor]]:
        return [(self.value(one.values), one.without) for one in measured if one.without is not None]
