"""Scores that training has learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.magnitude import magnitudes
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Learned(Score):
    """|S| of the scores that a straight-through parametrisation trains (edge-popup, arXiv 1911.13299)."""

    needs: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    provides: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES})
    kind: Literal["learned"] = "learned"
    norm: Norm = Field(default="l1", description="How |S| is reduced over a group: l1 or l2.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return |S| of each group.

        Raises:
            UserError: nothing has learned any scores.
        """
        if statistics is None:
            raise UserError("score 'learned' needs scores to read: use it with the parametrisation straight-through")
        return partition.reduce(magnitudes(statistics.learned_scores()), self.norm)
