"""SimCLR: two views of an image are alike, and unlike those of the other images of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.from_views import FromViews, in_several_processes
from robust_tickets.objectives.objective import Criterion, Memoryless
from robust_tickets.objectives.views import SimCLRViews, Views, in_full_precision

if TYPE_CHECKING:
    from torch import Tensor


@final
class SimCLR(FromViews, Memoryless):
    """Minimise the normalised cross-entropy (NT-Xent) of each view's partner among all other views of the batch.

    Chen et al., 2020, arXiv 2002.05709, equation 1. Both views go through the network together, so that batch norm sees
    them as one batch. The larger the batch, the more there is to tell apart. Over several processes the whole batch is
    told apart, while batch norm sees each process's own part, which the paper avoids.
    """

    whole_batches: ClassVar[str] = "compares each image with the others of its batch"
    kind: Literal["simclr"] = "simclr"
    temperature: float = Field(default=0.5, gt=0, description="By which cosines are divided.")
    views: SimCLRViews = Field(default=SimCLRViews(), description="How the two views are made.")

    @property
    def own_views(self) -> Views:
        """Return them."""
        return self.views

    def describe(self) -> str:
        """Return `SimCLR`."""
        return "SimCLR"

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch, whose inputs are views [N, 2, C, H, W]."""
        from lightly.loss.ntx_ent_loss import NTXentLoss

        loss = NTXentLoss(self.temperature, gather_distributed=in_several_processes())
        first, second = network(torch.cat([*batch.inputs.unbind(1)])).float().chunk(2)
        with in_full_precision(first.device):
            found = loss(first, second)
        yield found
