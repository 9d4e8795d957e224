"""Exact selection of the lowest scores across several tensors, ties broken without bias."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor

SAMPLED = 1 << 20
"""Above this many values the k-th smallest is bracketed by a sample before it is looked for."""
STRIDE = 61
CHUNK = 1 << 16


def exact_count(sparsity: float, groups: int) -> int:
    """Return floor(s * G + 1/2): how many of G groups a sparsity of s removes."""
    return math.floor(sparsity * groups + 0.5)


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
    total = sum(score.numel() for score in scores.values())
    if threshold == math.inf:
        raise UserError(
            f"cannot remove {removed} of the {total} groups of {', '.join(list(scores)[:3])}: each must keep one; ask "
            "for a lower sparsity"
        )
    kept = {name: score > threshold for name, score in scores.items()}
    spare = total - removed - sum(int(torch.count_nonzero(keep)) for keep in kept.values())
    if spare:
        tied = {name: (score == threshold).nonzero().squeeze(1) for name, score in scores.items()}
        chosen = torch.randperm(sum(map(len, tied.values())), generator=ties)[:spare]
        start = 0
        for name, positions in tied.items():
            inside = chosen[(chosen >= start) & (chosen < start + len(positions))] - start
            kept[name][positions[inside.to(positions.device)]] = True
            start += len(positions)
    return kept


def kth_smallest(tensors: Sequence[Tensor], k: int) -> float:
    """Return the k-th smallest value (k from 1) over all elements of 1-D tensors of one dtype and device."""
    if tensors[0].device.type != "cpu":
        return float(torch.kthvalue(torch.cat(list(tensors)), k).values)
    arrays = [tensor.numpy() for tensor in tensors]
    if sum(map(len, arrays)) > SAMPLED:
        below, between = _bracket(arrays, k)
        if below < k <= below + len(between):
            return _kth(between, k - below)
    return _kth(np.concatenate(arrays), k)


def _bracket(arrays: Sequence[np.ndarray], k: int) -> tuple[int, np.ndarray]:
    """Guess from a sample two values around the k-th smallest; return how many lie below, and those between.

    So a large network is read once, in pieces that fit the cache, and never copied as a whole.
    """
    sample = np.sort(np.concatenate([array[::STRIDE] for array in arrays]))
    centre = k / sum(map(len, arrays)) * len(sample)
    margin = 4.0 * math.sqrt(len(sample)) + len(arrays)
    low = sample[math.floor(centre - margin)] if centre > margin else -math.inf
    high = sample[math.ceil(centre + margin)] if centre + margin < len(sample) - 1 else math.inf
    below, between = 0, []
    for array in arrays:
        for start in range(0, len(array), CHUNK):
            chunk = array[start : start + CHUNK]
            inside = chunk >= low
            below += len(chunk) - int(np.count_nonzero(inside))
            inside &= chunk <= high
            between.append(chunk[inside])
    return below, np.concatenate(between)


def _kth(values: np.ndarray, k: int) -> float:
    """Return the k-th smallest of an array that may be reordered."""
    values.partition(k - 1)  # introselect: vectorised, unlike torch.kthvalue on the CPU
    return float(values[k - 1])
