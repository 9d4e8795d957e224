"""A mask that passes gradients on to its scores as if it were the identity."""

from typing import Any

import torch
from torch import Tensor


def seen_through(score: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Return w m, through which the score gets dL/dm = dL/d(w m) w and the weight, if it trains, dL/d(w m) m.

    Args:
        score: of the weight's shape; its value does not count, only its gradient.
        weight: any shape.
        mask: bool, of the weight's shape.
    """
    return _SeenThrough.apply(score, weight, mask)


class _SeenThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, score: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(weight, mask)
        return weight * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        weight, mask = ctx.saved_tensors
        return gradients[0] * weight, gradients[0] * mask if ctx.needs_input_grad[1] else None, None
