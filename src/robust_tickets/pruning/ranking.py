"""Exact selection of the lowest scores across several tensors, ties broken without bias."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError


def exact_count(sparsity: float, groups: int) -> int:
    """Return floor(s * G + 1/2): how many of G groups a sparsity of s removes."""
    return math.floor(sparsity * groups + 0.5)


def kth_smallest(tensors: Sequence[Tensor], k: int) -> float:
    """Return the k-th smallest value (k from 1) over all elements of 1-D tensors of one dtype and device."""
    values = torch.cat(list(tensors))
    if values.device.type == "cpu":
        array = values.numpy()
        array.partition(k - 1)  # introselect, vectorised: many times faster than a sort or torch.kthvalue
        return float(array[k - 1])
    return float(torch.kthvalue(values, k).values)


def keep_highest(scores: Mapping[str, Tensor], removed: int, ties: torch.Generator) -> dict[str, Tensor]:
    """Remove exactly the `removed` lowest scores of all tensors together.

    Among groups tied at the threshold, those to be kept are drawn uniformly with `ties`: no layer and no
    position is favoured. A score of +inf marks a group that must stay.

    Returns:
        For each name a bool tensor of the shape of its scores (1-D), True = kept.

    Raises:
        UserError: the count cannot be reached without removing a group that must stay.
    """
    if removed == 0:
        return {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    threshold = kth_smallest(list(scores.values()), removed)
    if threshold == math.inf:
        total = sum(score.numel() for score in scores.values())
        names = ", ".join(list(scores)[:3])
        raise UserError(
            f"cannot remove {removed} of {total} groups of {names}: at least one must stay in each; "
            "ask for a lower sparsity or the scope 'global'"
        )
    kept = {name: score > threshold for name, score in scores.items()}
    total = sum(score.numel() for score in scores.values())
    spare = total - removed - sum(int(torch.count_nonzero(keep)) for keep in kept.values())
    if spare:
        tied = {name: (score == threshold).nonzero().squeeze(1) for name, score in scores.items()}
        chosen = torch.randperm(sum(t.numel() for t in tied.values()), generator=ties)[:spare]
        start = 0
        for name, positions in tied.items():
            inside = chosen[(chosen >= start) & (chosen < start + positions.numel())] - start
            kept[name][positions[inside.to(positions.device)]] = True
            start += positions.numel()
    return kept
