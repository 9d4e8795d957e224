"""The shapes that Square attack adds, and how large they are (Andriushchenko et al. 2020, arXiv 1912.00049)."""

from __future__ import annotations

from functools import cache
from math import sqrt
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


SHRINKS_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Of 10,000 queries, those after which the area of the squares is halved."""


def side_length(query: int, queries: int, area: float, height: int, width: int, smallest: int) -> int:
    """Return the side of the square at a query: that of a share `area` of the image, halved along the schedule.

    The schedule is the paper's for 10,000 queries, stretched to the budget.
    """
    at = query * 10_000 // queries
    share = area / 2 ** sum(at > place for place in SHRINKS_AFTER)
    return min(max(round(sqrt(share * height * width)), smallest), height, width)


@cache
def bump(side: int) -> Tensor:
    """Return the L2 shape [side, side] of length 1: a positive hill next to a negative one."""
    half = side // 2
    shape = torch.cat([_hill(half, side), -_hill(side - half, side)])
    return shape / torch.linalg.vector_norm(shape)


def _hill(height: int, width: int) -> Tensor:
    """Return concentric rectangles [height, width] whose values fall off outwards, of length 1 unless empty."""
    hill = torch.zeros(height, width)
    middle_row, middle_column = height // 2, width // 2
    for ring in range(max(middle_row, middle_column) + 1):
        rows = slice(max(middle_row - ring, 0), middle_row + ring + 1)
        columns = slice(max(middle_column - ring, 0), middle_column + ring + 1)
        hill[rows, columns] += 1 / (ring + 1) ** 2
    return hill / torch.linalg.vector_norm(hill).clamp(min=1e-12)


def inside(top: Tensor, left: Tensor, side: int, height: int, width: int) -> Tensor:
    """Return bool [N, 1, height, width]: the square of each image, from the positions [N] of its corner."""
    rows, columns = torch.arange(height, device=top.device), torch.arange(width, device=top.device)
    in_rows = (rows >= top[:, None]) & (rows < top[:, None] + side)
    in_columns = (columns >= left[:, None]) & (columns < left[:, None] + side)
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
