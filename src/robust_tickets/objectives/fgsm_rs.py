"""Fast adversarial training: FGSM from a random start (Wong, Rice and Kolter 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Ratio
from robust_tickets.objectives.objective import Criterion, Memoryless
from robust_tickets.objectives.pgd_training import PGDTraining

if TYPE_CHECKING:
    from torch import Tensor


@final
class FGSMRS(Ball, Memoryless):
    """Minimise the criterion on images moved one long step from a uniform point of the ball.

    In L2 the start is uniform in the L2 ball and the step a unit gradient, so that the step and not the
    noise sets the direction. Watch PGD accuracy on validation data: it can collapse suddenly
    (catastrophic overfitting), the sooner the longer the step.
    """

    needs: ClassVar[frozenset[str]] = PGDTraining.needs
    kind: Literal["fgsm-rs"] = "fgsm-rs"
    step_size: Ratio | None = Field(
        default=None, gt=0, description="Length of the step in the norm; null means 1.25 * epsilon."
    )

    @property
    def threat(self) -> Threat:
        """The same attack, as one step of PGD."""
        length = 1.25 * self.epsilon if self.step_size is None else self.step_size
        return Threat(norm=self.norm, epsilon=self.epsilon, steps=1, step_size=length)

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the attacked batch: it is PGD with one long step."""
        return PGDTraining(threat=self.threat).losses(network, batch, criterion, generator)

    @property
    def ball(self) -> Ball:
        """The ball in which training images are attacked."""
        return self

    @property
    def single_step(self) -> Threat:
        """The attack of the training images."""
        return self.threat

    def describe(self) -> str:
        """Return for example `FGSM-RS in L-inf 8/255`."""
        return f"FGSM-RS in {self.ball_name}"
