"""Logits: a classifier's output for a whole set of images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.foundation.batch import Batch

Batches = Iterable["Batch | tuple[Tensor, Tensor]"]
"""Batches, or pairs, of float images [N, C, H, W] in [0, 1] and class indices [N]."""


def logits(predict: Predict, batches: Batches) -> tuple[Tensor, Tensor]:
    """Return logits [N, C] and labels [N] of all batches in order, on the CPU, logits in fp32."""
    with torch.no_grad():
        pairs = [(predict(images).float().cpu(), labels.cpu()) for images, labels in batches]
    return torch.cat([batch for batch, _ in pairs]), torch.cat([labels for _, labels in pairs])
