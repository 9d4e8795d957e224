"""Weights by what they carry: their size times that of their input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.pruning.needs import EXAMPLES
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class Wanda(Score):
    """|w| times the root mean square of its input (Sun et al., 2023, arXiv 2306.11695, eq. 1), on a few examples.

    Each output's weights compete among themselves, as in the paper, unless `per` says otherwise. A group counts as the
    mean of its weights.
    """

    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    scopes: ClassVar[tuple[str, ...] | None] = ("layer", "erk", "global")
    kind: Literal["wanda"] = "wanda"
    examples: int = Field(default=128, ge=1, description="Training examples on which inputs are measured.")
    per: Literal["output", "scope"] = Field(
        default="output",
        description="output: every row of a layer loses the same share; scope: scores compete in the whole scope.",
    )

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean over each group, of the product or of its rank in its row."""
        assert statistics is not None
        moments = statistics.input_moments(self.examples)
        found: dict[str, Tensor] = {}
        for name, weight in weights.items():
            size = moments[name].diagonal(dim1=1, dim2=2).sqrt().to(weight.device)
            rows = weight.detach().double().abs().reshape(len(size), -1, size.shape[1]) * size[:, None, :]
            if self.per == "output":
                rows = rows.argsort(-1).argsort(-1).double() / rows.shape[-1]
            found[name] = rows.reshape(weight.shape)
        return partition.reduce(found, "l1")
