"""Magnitude, shuffled inside each layer."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.magnitude import Magnitude
from robust_tickets.pruning.statistics import Statistics


class RandomWithinLayer(Settings):
    """The magnitudes of a layer's remaining groups, randomly permuted among them.

    Each layer keeps as many groups as by magnitude, under any scope, but not the same ones: the control that
    tells whether a ticket is more than its layer-wise sparsities (arXiv 2009.08576).
    """

    kind: Literal["random-within-layer"] = "random-within-layer"
    norm: Norm = Field(default="l1", description="How |w| is reduced over a group: l1 or l2.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return shuffled magnitudes; groups removed already keep their own."""
        scores = Magnitude(norm=self.norm).group_scores(weights, partition, statistics, seed)
        for name, score in scores.items():
            there = partition.remaining.get(name)
            places = torch.arange(len(score)) if there is None else there.nonzero().squeeze(1).cpu()
            shuffled = places[torch.randperm(len(places), generator=generator(seed, "shuffle", name))]
            scores[name] = score.index_copy(0, places.to(score.device), score[shuffled.to(score.device)])
        return scores
