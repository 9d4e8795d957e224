"""Standard training: the criterion on the inputs as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, final

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Memoryless

if TYPE_CHECKING:
    from torch import Tensor


@final
class Standard(Memoryless):
    """Minimise the criterion on the inputs as they are."""

    leaves_inputs = True
    kind: Literal["standard"] = "standard"

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch."""
        yield criterion(network(batch.inputs), batch.targets)

    def describe(self) -> str:
        """Return `standard`."""
        return "standard"
