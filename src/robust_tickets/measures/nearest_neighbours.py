"""Nearest neighbours in features: how well images of a class lie together, without training a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, final

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.lazy import F, torch
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.logits import Batches, logits
from robust_tickets.measures.metric import CorrectOrNot

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""Of the votes (Wu et al., 2018, arXiv 1805.01978, section 3.4)."""

AT_ONCE = 1024
"""Images whose neighbours are looked for at once."""


@final
class NearestNeighbours(CorrectOrNot):
    """The fraction of images whose class their nearest neighbours vote for, the image itself left out.

    The neighbours are the twenty other images of the same set whose features have the largest cosine c; each has a vote
    of weight exp(c / 0.07) (Wu et al., 2018). Nothing is trained, and no training image is needed: the set that is
    measured votes on itself, so that fewer images give lower values.
    """

    name: str = "kNN accuracy"
    key: ClassVar[str] = "knn_accuracy"

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return for each image whether its neighbours are right; features are not attacked."""
        assert not attackers, "tasks that are measured so offer no attack"
        features, labels = logits(predict, batches)
        return [neighbours_right(features, labels)]


def neighbours_right(features: Tensor, labels: Tensor) -> Tensor:
    """Return bool [N]: whether the other images vote for each image's class.

    Args:
        features: float [N, D].
        labels: class numbers int64 [N].
    """
    rows, classes = F.normalize(features.flatten(1), dim=1), int(labels.max()) + 1
    right: list[Tensor] = []
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        cosines = some @ rows.T
        cosines[torch.arange(len(some)), torch.arange(start, start + len(some))] = -torch.inf
        near = cosines.topk(min(NEIGHBOURS, len(rows) - 1), dim=1)
        votes = torch.zeros(len(some), classes)
        votes.scatter_add_(1, labels[near.indices], (near.values / TEMPERATURE).exp())
        right.append(correctness(votes, labels[start : start + AT_ONCE]))
    return torch.cat(right)
