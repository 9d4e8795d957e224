"""FreeLB: adversarial training whose every step of the attack gives a gradient of the weights (Zhu et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.perturbable import perturbable
from robust_tickets.attacks.projection import ascent, project, uniform_in_ball
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Memoryless

if TYPE_CHECKING:
    from torch import Tensor


@final
class FreeLB(Memoryless):
    """Minimise the mean of the criterion over the steps of an attack on the word embeddings (or the pixels).

    Each step's loss is minimised at the point that the steps before it led to, so that K steps cost K passes (Zhu et
    al., 2020, arXiv 1909.11764, algorithm 1); dropout is on, as in the paper. The robust tickets of Zheng et al., 2022
    (arXiv 2211.03013) learn their gates so.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    kind: Literal["freelb"] = "freelb"
    threat: Threat = Field(
        default=Threat(norm="l2", epsilon=0.2, steps=5, step_size=0.03),
        description="The attack; of texts in the word embeddings' unit, over the whole text.",
    )
    start: float = Field(default=0.05, ge=0, description="Radius of the ball in which the attack begins.")

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the mean loss over the steps."""
        given = perturbable(network, batch.inputs)
        centre = given.point.detach().float()
        points = centre
        if self.start:
            near = self.threat.model_copy(update={"epsilon": self.start})
            moved = centre + given.space.allowed(uniform_in_ball(centre, near, generator))
            points = project(moved, centre, self.threat, given.space)
        losses = []
        for _ in range(self.threat.steps):
            delta = (points - centre).detach().requires_grad_()
            outputs = network(given.inputs(given.point + delta))
            losses.append(criterion(outputs, batch.targets))
            worse = criterion.aim.loss(outputs, batch.targets).sum()
            (gradient,) = torch.autograd.grad(worse, delta, retain_graph=True)
            step = self.threat.step_length * ascent(given.space.allowed(gradient), self.threat)
            points = project(centre + delta.detach() + step, centre, self.threat, given.space)
        yield torch.stack(losses).mean()

    @property
    def ball(self) -> Ball:
        """The ball in which training inputs are attacked."""
        return self.threat

    def describe(self) -> str:
        """Return for example `FreeLB-5 in L2 0.2`."""
        return f"FreeLB-{self.threat.steps} in {self.threat.ball_name}"
