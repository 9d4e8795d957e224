"""Weight magnitude."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.statistics import Statistics


def magnitudes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return |t| of each tensor, in float32 at least."""
    return {
        name: tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32)).abs()
        for name, tensor in tensors.items()
    }


class Magnitude(Settings):
    """|w|, reduced over a group by L1 or L2 (Han et al., 2015, arXiv 1506.02626; Li et al., 2017, 1608.08710)."""

    kind: Literal["magnitude"] = "magnitude"
    norm: Norm = Field(
        "l1", description="How |w| is reduced over a group: l1 (mean) or l2 (root mean square)."
    )

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the magnitude [groups] of each unit."""
        return partition.reduce(magnitudes(weights), self.norm)
