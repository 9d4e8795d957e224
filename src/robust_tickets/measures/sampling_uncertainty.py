"""How far a difference of accuracies may be due to the finite test set, apart from training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.accuracy import Interval

if TYPE_CHECKING:
    from torch import Tensor


def paired_test_interval(ticket: Sequence[Tensor], dense: Sequence[Tensor], level: float = 0.05) -> Interval:
    """Return the interval, coverage 1 - 2 * level, of ticket - dense over draws of the test set.

    The images on which both are right or both wrong carry no error, so this is much narrower than the
    unpaired interval. With one seed its standard error is that of McNemar's test. With several, an
    image's differences are averaged over seeds first, since all seeds see the same test images.

    Args:
        ticket: per seed, correctness bool [N] on the same N >= 2 images in the same order.
        dense: the same of the dense network.
        level: probability in either tail.
    """
    difference = torch.stack(list(ticket)).double().mean(0) - torch.stack(list(dense)).double().mean(0)
    error = difference.std().item() / sqrt(len(difference))
    return _around(difference.mean().item(), error, level)


def unpaired_test_interval(ticket: float, dense: float, examples: int, level: float = 0.05) -> Interval:
    """Return the same from two accuracies in [0, 1] on `examples` images, when nothing else was kept.

    It treats the two as if measured on different test sets, and so is wider than the paired interval
    whenever ticket and dense tend to be right on the same images.
    """
    error = sqrt((ticket * (1 - ticket) + dense * (1 - dense)) / examples)
    return _around(ticket - dense, error, level)


def _around(centre: float, error: float, level: float) -> Interval:
    half = NormalDist().inv_cdf(1 - level) * error
    return Interval(lower=centre - half, upper=centre + half)
