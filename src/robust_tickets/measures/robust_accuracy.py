"""Accuracy under attack, image by image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.predict import Batches, Predict
from robust_tickets.objectives.attack import attack
from robust_tickets.objectives.threat import Threat


class Evaluation(Settings):
    """How robustness is evaluated."""

    threat: Threat = Field(default=Threat(steps=20, step_size=2 / 255), description="The attack.")
    limit: int | None = Field(
        default=None,
        ge=1,
        description="At most this many test images, balanced over classes; null means all.",
    )


class Correctness(NamedTuple):
    """Bool [N] each, on the CPU, in the order of the images."""

    clean: Tensor
    robust: Tensor


def robust_correctness(
    predict: Predict, batches: Batches, threat: Threat, generator: torch.Generator
) -> Correctness:
    """Attack every image that is classified correctly, and return which withstand.

    An image misclassified as it is counts as wrong and is not attacked. Use within `evaluation_mode`,
    which keeps the network's mode, parameters, gradients and batch-norm statistics as they are.
    """
    clean: list[Tensor] = []
    robust: list[Tensor] = []
    for images, labels in batches:
        with torch.no_grad():
            scores = predict(images)
        images, labels = images.to(scores.device), labels.to(scores.device)
        right = correctness(scores, labels)
        clean.append(right.cpu())
        if right.any():
            adversarial = attack(predict, images[right], labels[right], threat, generator)
            with torch.no_grad():
                right[right.clone()] = correctness(predict(adversarial), labels[right])
        robust.append(right.cpu())
    return Correctness(torch.cat(clean), torch.cat(robust))


def balanced_first(labels: Sequence[int], limit: int) -> list[int]:
    """Return the positions, ascending, of `limit` labels: the first of each class, as evenly as can be.

    Folders are sorted by class, so the plain first `limit` would be of one class. The choice uses no
    chance; the k-th image of every class comes before any (k+1)-th, and within a rank the earlier
    position comes first.
    """
    seen: dict[int, int] = {}
    ranked: list[tuple[int, int]] = []
    for position, label in enumerate(labels):
        ranked.append((seen.setdefault(label, 0), position))
        seen[label] += 1
    return sorted(position for _, position in sorted(ranked)[:limit])
