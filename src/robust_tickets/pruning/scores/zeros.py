"""The existing zeros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.needs import NO_TRAINING, SINGLE_PRUNE
from robust_tickets.pruning.partitions import Norm, Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor

NORM: Norm = "l1"


class Zeros(Score):
    """The share of a group that is not exactly zero: what a sparse network has already removed becomes the ticket.

    The sparsity is what is there (Deep Compression's SqueezeNet, arXiv 1510.00149, keeps a third of its weights), so
    none is asked for; one that is has to agree. A group counts as zero if all of its weights are. Channels and
    neurons would be masked with biases and norms that need not be zero: draw by element, and `shrink` removes those
    channels that are zero throughout.
    """

    needs: ClassVar[frozenset[str]] = frozenset({NO_TRAINING, SINGLE_PRUNE})
    scopes: ClassVar[tuple[str, ...] | None] = ("global",)
    groups: ClassVar[tuple[str, ...] | None] = ("element", "row", "kernel", "filter", "block")
    says_sparsity: ClassVar[bool] = True
    has_a_price: ClassVar[bool] = False
    kind: Literal["zeros"] = "zeros"

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the share of weights that are not zero, in [0, 1]."""
        return partition.reduce({name: (weight.detach() != 0).float() for name, weight in weights.items()}, NORM)

    def own_sparsity(self, weights: Mapping[str, Tensor], partition: Partition) -> float:
        """Return the fraction of groups that are zero, in (0, 1).

        Raises:
            UserError: no group is, or all are.
        """
        shares = self.group_scores(weights, partition, None, 0).values()
        zero, total = sum(int((share == 0).sum()) for share in shares), sum(map(len, shares))
        if zero in (0, total):
            count = sum(weight.numel() for weight in weights.values())
            single = sum(int((weight == 0).sum()) for weight in weights.values())
            raise UserError(
                f"score {self.kind!r}: {zero} of the {total} groups are zero throughout ({single} of {count} prunable "
                "weights), so there is nothing to adopt; draw by magnitude instead"
            )
        return zero / total
