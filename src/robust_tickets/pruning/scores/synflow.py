"""Synaptic flow: how much of all that flows through the network passes a weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Synflow(Score):
    """|w| dR/d|w|, R the sum over all paths of the products of |w| (Tanaka et al., 2020, SynFlow, arXiv 2006.05467).

    It reads no examples. R is the same in every cut through the network, so that weights of small layers count for
    more, and no cut is emptied as long as scores are computed anew often enough: the paper prunes in 100 rounds
    (`timeline: {kind: one-shot, rounds: 100}`). A group counts as the mean of its weights.
    """

    kind: Literal["synflow"] = "synflow"

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean flow through the weights of each group, up to a factor that all share."""
        assert statistics is not None
        flow = statistics.flow()
        found = {name: weight.detach().double().abs() * flow[name] for name, weight in weights.items()}
        return partition.reduce(found, "l1")
