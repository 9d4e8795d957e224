"""Free adversarial training (Shafahi et al. 2019): each backward pass serves weights and attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.projection import ascent, into_ball
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Objective, Running
from robust_tickets.objectives.teacher import Teacher

if TYPE_CHECKING:
    from torch import Tensor


@final
class Free(Ball, Objective):
    """Replay each batch several times, stepping weights and perturbation from the same gradients.

    Every replay is an optimiser step, so a schedule of E epochs usually becomes E / replays. The step
    of the perturbation is epsilon. The pass is the training pass: batch norm is in training mode.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"pixel-inputs"})
    whole_batches: ClassVar[str] = "keeps one perturbation per batch"
    kind: Literal["free"] = "free"
    replays: int = Field(default=4, ge=1, description="Optimiser steps on each batch, the paper's m.")

    @property
    def steps_per_batch(self) -> int:
        """The number of replays."""
        return self.replays

    @property
    def ball(self) -> Ball:
        """The ball in which training images are attacked."""
        return self

    @property
    def single_step(self) -> Threat:
        """A step of epsilon, from a uniform start in the place of the perturbation that training carries along."""
        return Threat(norm=self.norm, epsilon=self.epsilon, steps=1, step_size=self.epsilon)

    def describe(self) -> str:
        """Return for example `free-4 in L-inf 8/255`."""
        return f"free-{self.replays} in {self.ball_name}"

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return the objective with a perturbation of zero."""
        return FreeReplays(self)


@final
class FreeReplays(Running):
    """Free training under way: holds the perturbation that persists from batch to batch.

    Several processes hold one each; it belongs to positions in the batch, not to images.
    """

    def __init__(self, settings: Free) -> None:
        self.settings = settings
        self.delta: Tensor | None = None

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield one loss per replay, all of this batch."""
        images = batch.inputs
        held = self._delta_for(images)
        # Its own until the batch is done: under gradient accumulation the parts of a batch interleave.
        delta = held[: len(images)].clone()
        for _ in range(self.settings.replays):
            # The gradient is taken at the network's input: through the clamp it would vanish at the box.
            points = (images + delta).clamp(0, 1).requires_grad_()
            yield criterion(network(points), batch.targets)
            assert points.grad is not None, "the loss was not backpropagated before the next was asked for"
            step = self.settings.epsilon * ascent(points.grad, self.settings)
            delta = into_ball(delta + step, self.settings)
        held[: len(images)] = delta

    def _delta_for(self, images: Tensor) -> Tensor:
        """Return the perturbation, restarted at zero if the batch does not fit it."""
        held = self.delta
        if held is None or held.shape[1:] != images.shape[1:] or len(held) < len(images):
            held = torch.zeros_like(images, dtype=torch.float32)
        self.delta = held.to(images.device)
        return self.delta

    def state(self) -> dict[str, Tensor]:
        """Return the perturbation, once there is one."""
        return {} if self.delta is None else {"delta": self.delta}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the perturbation back."""
        self.delta = state["delta"].clone() if "delta" in state else None
