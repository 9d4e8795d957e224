"""Layers refitted to what they computed before: least squares over the inputs that they see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-8
"""Of the residual's norm, relative to the right-hand side's; the solution is as exact as fp32 weights can show."""


def damped(moments: Tensor, damping: float) -> Tensor:
    """Return H + damping * mean(diag H) * I, [divisions, f, f]; inputs that are always 0 count as 1."""
    size = moments.shape[-1]
    mean = moments.diagonal(dim1=1, dim2=2).mean(1).clamp(min=torch.finfo(moments.dtype).tiny)
    return moments + damping * mean[:, None, None] * torch.eye(size, dtype=moments.dtype, device=moments.device)


def inverse_diagonal(moments: Tensor) -> Tensor:
    """Return [H^-1]_pp, [divisions, f]."""
    return torch.cholesky_inverse(torch.linalg.cholesky(moments)).diagonal(dim1=1, dim2=2)


def refitted(weight: Tensor, stays: Tensor, moments: Tensor) -> Tensor:
    """Return the weights that are left, so that outputs change least: the exact minimiser for each row by itself.

    For a row w with kept positions S the minimiser of (v - w) H (v - w) with v = 0 elsewhere solves H_SS v_S = (H w)_S.
    All rows are solved together by conjugate gradients with a diagonal preconditioner.

    Args:
        weight: [divisions, rows, f], float64.
        stays: bool, of the same shape, True = stays.
        moments: H, positive definite, [divisions, f, f].
    """
    kept = stays.to(weight.dtype)
    target = (weight @ moments) * kept
    scale = moments.diagonal(dim1=1, dim2=2)[:, None, :]
    value = weight * kept
    residual = (target - (value @ moments) * kept) * kept
    ahead = residual / scale
    direction, power = ahead, (residual * ahead).sum(-1, keepdim=True)
    enough = TOLERANCE**2 * (target**2).sum(-1, keepdim=True)
    for _ in range(weight.shape[-1]):
        if bool(((residual**2).sum(-1, keepdim=True) <= enough).all()):
            break
        pushed = (direction @ moments) * kept
        curvature = (direction * pushed).sum(-1, keepdim=True)
        step = torch.where(curvature > 0, power / curvature, 0.0)
        value = value + step * direction
        residual = residual - step * pushed
        ahead = residual / scale
        after = (residual * ahead).sum(-1, keepdim=True)
        direction = ahead + torch.where(power > 0, after / power, 0.0) * direction
        power = after
    return value
