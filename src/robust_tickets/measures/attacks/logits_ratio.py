"""The difference-of-logits ratio (Croce and Hein 2020, arXiv 2003.01690): a loss without the logits' scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch
from robust_tickets.objectives.attack import per_image

if TYPE_CHECKING:
    from torch import Tensor


def logits_ratio(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of each sample [N], positive where misclassified.

    With z1 >= z2 >= z3 the highest logits and z_y the label's, equation 6 of the paper:
    (max of the others - z_y) / (z1 - z3). Its gradient does not vanish however confident the network is. With three
    classes z3 is the lowest logit. With two there is no z3, and z1 - z2 would leave a ratio of +-1 without a gradient:
    the loss is the margin, max of the others - z_y, whose direction does not depend on the scale either.

    Args:
        logits: [N, C], or of pixels [N, C, H, W]; C is 2 or more.
        labels: class indices [N] or [N, H, W]. A sample's loss is the mean over its pixels; those labelled -100 are 0.
    """
    logits = logits.float()
    highest = logits.topk(min(3, logits.shape[1]), dim=1).values
    own = logits.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
    other = torch.where(logits.argmax(1) == labels, highest[:, 1], highest[:, 0])
    loss = other - own
    if logits.shape[1] > 2:
        loss = loss / (highest[:, 0] - highest[:, 2] + 1e-12)
    return per_image(loss * (labels >= 0))
