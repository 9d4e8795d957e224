"""Scores that training has learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Learned(Score):
    """Scores that a parametrisation trains: |S| of `straight-through` (edge-popup, arXiv 1911.13299), or S itself.

    Of signed scores `l2` is the root of the mean of S |S|, with its sign.
    """

    needs: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    provides: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES})
    has_a_price: ClassVar[bool] = False
    kind: Literal["learned"] = "learned"
    norm: Norm = Field(default="l1", description="How scores are reduced over a group: l1 or l2.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the score of each group.

        Raises:
            UserError: nothing has learned any scores.
        """
        if statistics is None:
            raise UserError("score 'learned' needs scores to read: use it with the parametrisation straight-through")
        return partition.reduce(dict(statistics.learned_scores()), self.norm)
