"""Pure chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Random(Score):
    """A uniform number for each group: the control that ignores the weights altogether.

    The numbers depend on the seed and the unit's name alone, so they are the same in every round of a draw.
    """

    has_a_price: ClassVar[bool] = False
    kind: Literal["random"] = "random"

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return numbers in [0, 1)."""
        device = next(iter(weights.values())).device
        return {
            name: torch.rand(unit.groups, generator=generator(seed, "random", name)).to(device)
            for name, unit in partition.units.items()
        }
