"""Loss: a network's loss and error on a few batches."""

import math
from dataclasses import dataclass

from torch import nn
from torch.nn.functional import cross_entropy

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.measures.accuracy import accuracy, correctness
from robust_tickets.measures.logits import Batches, logits

OVERFLOWN = 1e30
"""Stands for a loss that is not a number: far from a network there are such places, and JSON cannot express them."""


@dataclass(frozen=True)
class Reached:
    """Mean loss and error of a network on fixed images."""

    loss: float
    """Mean cross-entropy, nats; 1e30 where logits exceeded the floating-point range."""
    error: float
    """Fraction classified wrongly, in [0, 1]."""


def reached(network: nn.Module, images: Batches) -> Reached:
    """Return loss and error on batches of (float images [N, C, H, W] in [0, 1], labels [N]), in eval mode."""
    with evaluation_mode(network, next(network.parameters()).device) as predict:
        found, labels = logits(predict, images)
    loss = cross_entropy(found.double(), labels).item()
    return Reached(loss if math.isfinite(loss) else OVERFLOWN, 1 - accuracy(correctness(found, labels)))
