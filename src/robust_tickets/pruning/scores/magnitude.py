"""Weight magnitude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import torch
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Magnitude(Score):
    """|w|, reduced over a group (arXiv 1506.02626 for single weights, 1608.08710 for filters)."""

    kind: Literal["magnitude"] = "magnitude"
    norm: Norm = Field(default="l1", description="How |w| is reduced over a group: l1 or l2.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the magnitude of each group."""
        return partition.reduce(magnitudes(weights), self.norm)


def magnitudes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return |t| of each tensor, in float32 at least."""
    return {
        name: tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32)).abs()
        for name, tensor in tensors.items()
    }
