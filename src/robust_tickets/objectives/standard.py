"""Standard training: the criterion on the images as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, final

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Objective, ObjectiveSettings

if TYPE_CHECKING:
    from torch import Tensor


@final
class Standard(ObjectiveSettings, Objective):
    """Minimise the criterion on clean images."""

    kind: Literal["standard"] = "standard"

    def losses(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        criterion: Criterion,
        generator: torch.Generator,
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch."""
        yield criterion(network(images), labels)

    def describe(self) -> str:
        """Return `standard`."""
        return "standard"

    def build(self) -> Objective:
        """Return itself: it keeps no state."""
        return self
