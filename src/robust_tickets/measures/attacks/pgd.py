"""Projected gradient descent (Madry et al. 2018), as training uses it, with the threat's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.attacks.attack import Attack
from robust_tickets.measures.attacks.attack_log import AttackLog
from robust_tickets.measures.attacks.logits_ratio import logits_ratio
from robust_tickets.measures.attacks.persistence import persistent
from robust_tickets.measures.predict import Predict
from robust_tickets.measures.robust_accuracy import Attacker
from robust_tickets.objectives.attack import Observe, attack
from robust_tickets.objectives.threat import Threat

if TYPE_CHECKING:
    from torch import Tensor


class PGD(Attack):
    """Projected gradient descent; steps, step size and start are the threat's."""

    takes_pixels = True
    kind: Literal["pgd"] = "pgd"

    def attacker(self, predict: Predict, threat: Threat, seed: int, log: AttackLog | None = None) -> Attacker:
        """Return the search; its starts come from one stream, in the order of the images."""
        chance, other = generator(seed, "evaluation"), generator(seed, "evaluation", "again")

        def first(images: Tensor, labels: Tensor, observe: Observe) -> Tensor:
            return attack(predict, images, labels, threat, chance, observe=observe)

        def again(images: Tensor, labels: Tensor, observe: Observe) -> Tensor:
            return attack(predict, images, labels, threat, other, logits_ratio, observe)

        return persistent(predict, first, again, threat, seed, log)

    def describe(self, threat: Threat) -> str:
        """Return for example `PGD-20 in L-inf 8/255, 5 restarts`."""
        return threat.describe()
