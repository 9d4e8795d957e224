"""What every objective offers the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Settings
from robust_tickets.objectives.threat import Ball, Threat

if TYPE_CHECKING:
    from torch import Tensor

Criterion = Callable[["Tensor", "Tensor"], "Tensor"]
"""Logits [N, C] and labels ([N], or probabilities [N, C]) to a scalar loss."""


class Objective(ABC):
    """What is trained for: turns a batch into losses, one per optimiser step."""

    @abstractmethod
    def losses(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        criterion: Criterion,
        generator: torch.Generator,
    ) -> Iterator[Tensor]:
        """Yield scalar losses of the network as it is when each is asked for.

        For each loss the caller runs `backward()` and a step of the optimiser before asking for the
        next. The iterator must be exhausted, since it may use the gradients of the last backward pass.
        Under autocast, enter its context anew for each `next()`: it caches the cast weights, and a
        step changes them.

        Args:
            network: images to logits, in training mode; its mode is the same afterwards.
            images: float [N, C, H, W] in [0, 1].
            labels: class indices [N], or probabilities [N, C].
            criterion: the loss that is minimised.
            generator: source of all chance in the objective.
        """

    def state(self) -> dict[str, Tensor]:
        """Return what must survive between batches, by name; most objectives keep nothing."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` returned."""
        if state:
            raise ValueError(f"{type(self).__name__} keeps no state, and was given {sorted(state)}")


class ObjectiveSettings(Settings, ABC):
    """The configuration of an objective; `build` makes the thing that runs."""

    @property
    def ball(self) -> Ball | None:
        """The ball in which training images are attacked; None where they are not."""
        return None

    @property
    def is_adversarial(self) -> bool:
        """Whether the images trained on are attacked."""
        return self.ball is not None

    @property
    def single_step(self) -> Threat | None:
        """The one-step attack that training relies on; None where it relies on none.

        A network may learn to defeat just that one while it loses its robustness (catastrophic overfitting).
        """
        return None

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables and logs."""

    @abstractmethod
    def build(self) -> Objective:
        """Return a fresh objective, without state from earlier batches."""
