"""Training under Gaussian noise, as randomised smoothing needs it (Cohen, Rosenfeld and Kolter 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Ratio
from robust_tickets.objectives.objective import Criterion, Memoryless

if TYPE_CHECKING:
    from torch import Tensor


@final
class Smoothing(Memoryless):
    """Minimise the criterion on images with Gaussian noise, which leave [0, 1] by definition."""

    needs: ClassVar[frozenset[str]] = frozenset({"pixel-inputs"})
    kind: Literal["smoothing"] = "smoothing"
    sigma: Ratio = Field(default=0.25, gt=0, description="Standard deviation of the noise, on inputs in [0, 1].")

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the noisy batch."""
        images = batch.inputs
        noise = torch.randn(images.shape, generator=generator, device=generator.device)
        yield criterion(network(images + self.sigma * noise.to(images.device)), batch.targets)

    def describe(self) -> str:
        """Return for example `Gaussian noise 0.25`."""
        return f"Gaussian noise {self.sigma:g}"
