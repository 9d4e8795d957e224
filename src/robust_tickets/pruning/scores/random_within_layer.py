"""Magnitude, shuffled inside each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.magnitude import Magnitude
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class RandomWithinLayer(Score):
    """The magnitudes of a layer's remaining groups, randomly permuted among them.

    Each layer keeps as many groups as by magnitude, under any scope, but not the same ones: the control that
    tells whether a ticket is more than its layer-wise sparsities (arXiv 2009.08576).
    """

    has_a_price: ClassVar[bool] = False
    kind: Literal["random-within-layer"] = "random-within-layer"
    norm: Norm = Field(default="l1", description="How |w| is reduced over a group: l1 or l2.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return shuffled magnitudes; groups removed already keep their own."""
        scores = Magnitude(norm=self.norm).group_scores(weights, partition, statistics, seed)
        for name, score in scores.items():
            chance = generator(seed, "shuffle", name)
            there = partition.remaining.get(name)
            if there is None:
                scores[name] = score[torch.randperm(len(score), generator=chance).to(score.device)]
            else:
                found = score[there]
                score[there] = found[torch.randperm(len(found), generator=chance).to(score.device)]
        return scores
