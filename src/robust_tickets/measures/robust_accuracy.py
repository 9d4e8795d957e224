"""Accuracy under an attack, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.logits import Batches

if TYPE_CHECKING:
    from torch import Tensor


class Correctness(NamedTuple):
    """Bool [N] each, on the CPU, in the order of the images; robust implies clean."""

    clean: Tensor
    robust: Tensor


def robust_correctness(predict: Predict, batches: Batches, threat: Threat, generator: torch.Generator) -> Correctness:
    """Attack by projected gradient descent every image that is classified correctly; see `withstanding`."""
    return withstanding(predict, batches, lambda images, labels: pgd(predict, images, labels, threat, generator))


def withstanding(predict: Predict, batches: Batches, attacker: Attacker) -> Correctness:
    """Attack every image that is classified correctly, and return which withstand.

    An image misclassified as it is counts as wrong and is not attacked. Use within `evaluation_mode`,
    which keeps the network's mode, parameters, gradients and batch-norm statistics as they are.
    """
    return Correctness(*withstanding_each(predict, batches, [attacker]))


def withstanding_each(predict: Predict, batches: Batches, attackers: Sequence[Attacker]) -> list[Tensor]:
    """Return which images are classified correctly: bool [N] as they are, and after each attacker in turn.

    An attacker meets only the images that have withstood those before it, so each vector implies the one before.
    """
    vectors: list[list[Tensor]] = [[] for _ in range(len(attackers) + 1)]
    for images, labels in batches:
        with torch.no_grad():
            scores = predict(images)
        images, labels = images.to(scores.device), labels.to(scores.device)
        standing = correctness(scores, labels)
        vectors[0].append(standing.cpu())
        for attacker, vector in zip(attackers, vectors[1:], strict=True):
            if standing.any():
                adversarial = attacker(images[standing], labels[standing])
                with torch.no_grad():
                    withstood = correctness(predict(adversarial), labels[standing])
                standing = standing.masked_scatter(standing, withstood)
            vector.append(standing.cpu())
    return [torch.cat(vector) for vector in vectors]
