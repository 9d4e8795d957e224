"""Gradient signal preservation: how much the gradient shrinks without a weight."""

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


class Grasp(Score):
    """w (H g): half of what the squared norm of the gradient loses without the weight (Wang et al., 2020, GraSP).

    arXiv 2002.07376. To first order a step d changes gT g by 2 dT H g; removing weight q is d = -w_q e_q, so that gT g
    changes by -2 w_q (H g)_q. The paper's S = -w (H g) is positive where the gradient grows without the weight, and
    removes the highest S; here the lowest go first, so the sign is the other one. It matters: without it, or with the
    absolute value, what is kept is something else. A group counts as the signed mean of its weights, since changes
    of the norm add up. The paper divides logits by 200 before the softmax; here the loss is the task's own.
    """

    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    reads_loss: ClassVar[bool] = True
    kind: Literal["grasp"] = "grasp"
    examples: int = Field(default=128, ge=1, description="Training examples of whose mean loss g and H are.")

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean loss of squared gradient norm of each group, with its sign."""
        assert statistics is not None
        gradients = statistics.gradients(1, self.examples)
        # What an earlier round removed has no gradient any more.
        flowing = {name: gradients[name][0].to(weight.dtype) * (weight != 0) for name, weight in weights.items()}
        pushed = statistics.curvature(flowing, self.examples)
        return partition.reduce({name: weight.detach() * pushed[name] for name, weight in weights.items()}, "l1")
