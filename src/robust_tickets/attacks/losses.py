"""Losses of class logits, one per example: what an attack increases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

LogitsLoss = Callable[["Tensor", "Tensor"], "Tensor"]
"""Logits and labels, as `cross_entropy` takes them, to one loss per example [N]."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each example [N], in fp32 whatever the precision of the logits.

    Args:
        logits: [N, C], or of pixels [N, C, H, W].
        labels: class indices [N] or [N, H, W]; or probabilities of the logits' shape. An example's loss is the mean
            over its pixels; those labelled -100 are 0.
    """
    return per_image(F.cross_entropy(logits.float(), labels, reduction="none"))


def logits_ratio(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the difference-of-logits ratio of each example [N], positive where misclassified.

    With z1 >= z2 >= z3 the highest logits and z_y the label's, equation 6 of Croce and Hein (2020, arXiv 2003.01690):
    (max of the others - z_y) / (z1 - z3). Its gradient does not vanish however confident the network is. With three
    classes z3 is the lowest logit. With two there is no z3, and z1 - z2 would leave a ratio of +-1 without a gradient:
    the loss is the margin, max of the others - z_y, whose direction does not depend on the scale either.

    Args:
        logits: [N, C], or of pixels [N, C, H, W]; C is 2 or more.
        labels: class indices [N] or [N, H, W]. An example's loss is the mean over its pixels; those
            labelled -100 are 0.
    """
    logits = logits.float()
    highest = logits.topk(min(3, logits.shape[1]), dim=1).values
    own = logits.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
    other = torch.where(logits.argmax(1) == labels, highest[:, 1], highest[:, 0])
    loss = other - own
    if logits.shape[1] > 2:
        loss = loss / (highest[:, 0] - highest[:, 2] + 1e-12)
    return per_image(loss * (labels >= 0))


def per_image(values: Tensor) -> Tensor:
    """Return the mean over everything but the first dimension: [N] as it is, [N, H, W] over pixels."""
    return values.reshape(len(values), -1).mean(1)
