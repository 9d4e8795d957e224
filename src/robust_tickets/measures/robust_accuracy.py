"""Accuracy under an attack, image by image."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.predict import Batches, Predict
from robust_tickets.objectives.attack import attack
from robust_tickets.objectives.threat import Threat


class Correctness(NamedTuple):
    """Bool [N] each, on the CPU, in the order of the images; robust implies clean."""

    clean: Tensor
    robust: Tensor


Attacker = Callable[[Tensor, Tensor], Tensor]
"""Images [N, C, H, W] and labels [N], on the network's device, to adversarial images."""


def robust_correctness(predict: Predict, batches: Batches, threat: Threat, generator: torch.Generator) -> Correctness:
    """Attack by projected gradient descent every image that is classified correctly; see `withstanding`."""
    return withstanding(predict, batches, lambda images, labels: attack(predict, images, labels, threat, generator))


def withstanding(predict: Predict, batches: Batches, attacker: Attacker) -> Correctness:
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
        withstood = right.clone()
        if right.any():
            adversarial = attacker(images[right], labels[right])
            with torch.no_grad():
                withstood[right] = correctness(predict(adversarial), labels[right])
        clean.append(right.cpu())
        robust.append(withstood.cpu())
    return Correctness(torch.cat(clean), torch.cat(robust))
