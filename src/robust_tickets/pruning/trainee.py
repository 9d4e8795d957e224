"""What a timeline may do to a network in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from robust_tickets.pruning.draw_history import DrawHistory
from robust_tickets.pruning.masks import Masks

if TYPE_CHECKING:
    from torch import Tensor


class Trainee(Protocol):
    """A network in training, as actions see it; the training loop implements it."""

    @property
    def masks(self) -> Masks:
        """The masks in force, over prunable weights and, for coupled groups, their followers."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the draw, under which ties have their own stream."""
        ...

    @property
    def step(self) -> int:
        """The coming training step, counted from 0."""
        ...

    @property
    def history(self) -> DrawHistory:
        """The draws that were compared so far."""
        ...

    def weights(self) -> Mapping[str, Tensor]:
        """Return the prunable weights as they are now."""
        ...

    def gradients(self) -> Mapping[str, Tensor]:
        """Return dense, unmasked gradients of the prunable weights on the coming batch."""
        ...

    def select(self, sparsity: float) -> Masks:
        """Return masks of this sparsity by the draw's selection, within the masks in force."""
        ...

    def compensate(self, masks: Masks) -> None:
        """Move the weights that these masks keep, as the score says, to make up for those that they remove."""
        ...

    def set_masks(self, masks: Masks) -> None:
        """Put masks in force.

        Newly removed weights become zero, and so do the optimiser's slots wherever a mask changed.
        """
        ...

    def set_aside(self, masks: Masks) -> None:
        """Keep the values of the weights that these masks are about to remove, for `bring_back`."""
        ...

    def bring_back(self) -> None:
        """Give weights that no mask removes any more the values that were set aside."""
        ...

    def remove_idle(self, threshold: float, frees: float, most: float) -> None:
        """Take channels out of the network whose gains are at most a threshold; see `actions.RemoveIdle`."""
        ...

    def finish(self) -> None:
        """Go on with the events at the end of the plan, without the training steps that are left."""
        ...

    def rewind(self) -> None:
        """Return to the draw's rewind point; the optimiser and the learning-rate schedule restart."""
        ...
