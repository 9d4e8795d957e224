"""Adversarial training with projected gradient descent (Madry et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, final

from pydantic import Field

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.attack import attack, attack_mode
from robust_tickets.objectives.objective import Criterion, Objective, ObjectiveSettings
from robust_tickets.objectives.threat import Ball, Threat

if TYPE_CHECKING:
    from torch import Tensor


@final
class PGD(ObjectiveSettings, Objective):
    """Minimise the criterion on images attacked in eval mode; there is no clean term.

    The attack maximises plain cross-entropy whatever the criterion, so that label smoothing or
    weighting shapes what is learned and not what is attacked.
    """

    kind: Literal["pgd"] = "pgd"
    threat: Threat = Field(default=Threat(steps=7), description="The attack that makes the training images.")

    def losses(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        criterion: Criterion,
        generator: torch.Generator,
    ) -> Iterator[Tensor]:
        """Yield the one loss of the attacked batch."""
        with attack_mode(network) as attacked:
            adversarial = attack(attacked, images, labels, self.threat, generator)
        yield criterion(network(adversarial), labels)

    @property
    def ball(self) -> Ball:
        """The ball in which training images are attacked."""
        return self.threat

    @property
    def single_step(self) -> Threat | None:
        """The attack, where one step is all of it."""
        return self.threat if self.threat.steps == 1 else None

    def describe(self) -> str:
        """Return for example `PGD-7 in L-inf 8/255`."""
        return self.threat.describe()

    def build(self) -> Objective:
        """Return itself: it keeps no state."""
        return self
