"""Overlap: how many of the weights that two masks keep are the same, compared with chance.

The Jaccard index of the kept sets A and B is |A and B| / |A or B|, in [0, 1]. Alone it says little: two masks
that keep 90 % of a layer overlap by 0.82 whatever they are. So every index comes with the one that independent
masks of the same layer sizes have on average.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Self

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError


@dataclass(frozen=True)
class Overlap:
    """Counts of two masks over the same weights, one layer's or many layers' together."""

    weights: int
    """Weights that may be kept."""
    first: int
    """Weights the first mask keeps, |A|."""
    second: int
    """Weights the second mask keeps, |B|."""
    both: int
    """Weights both keep."""
    mean: float
    """Expectation of `both` under independence."""
    variance: float
    """Variance of `both` under independence."""

    @classmethod
    def of(cls, first: Tensor, second: Tensor) -> Self:
        """Count two bool masks of one layer, of one shape, True = kept.

        Given |A| and |B| out of n weights, independent masks share a hypergeometric number of them, with mean
        |A||B| / n and variance |A||B| (n - |A|) (n - |B|) / (n^2 (n - 1)).
        """
        n, a, b = first.numel(), int(torch.count_nonzero(first)), int(torch.count_nonzero(second))
        both = int(torch.count_nonzero(first & second))
        spread = a * b * (n - a) * (n - b) / (n * n * (n - 1)) if n > 1 else 0.0
        return cls(n, a, b, both, a * b / n, spread)

    @classmethod
    def total(cls, layers: Iterable["Overlap"]) -> Self:
        """Add layers up; their chances are independent of each other."""
        listed = list(layers)
        return cls(
            sum(layer.weights for layer in listed),
            sum(layer.first for layer in listed),
            sum(layer.second for layer in listed),
            sum(layer.both for layer in listed),
            math.fsum(layer.mean for layer in listed),
            math.fsum(layer.variance for layer in listed),
        )

    @property
    def jaccard(self) -> float:
        """Return |A and B| / |A or B|; 1 where neither keeps anything."""
        union = self.first + self.second - self.both
        return self.both / union if union else 1.0

    @property
    def chance(self) -> float:
        """Return the expected index of independent masks with the same number kept in every layer.

        With X shared weights of mean m and variance v, and s = |A| + |B|, the index is f(X) = X / (s - X), whose
        expectation is f(m) + s v / (s - m)^3 up to terms that vanish as the weights' number to the power -2.
        """
        total = self.first + self.second
        return self.mean / (total - self.mean) + total * self.variance / (total - self.mean) ** 3 if total else 1.0

    @property
    def chance_deviation(self) -> float:
        """Return the standard deviation of that index, f'(m) sqrt(v), for masks of single weights.

        Masks of larger groups are fewer independent choices and spread more, about the same mean.
        """
        total = self.first + self.second
        return total * math.sqrt(self.variance) / (total - self.mean) ** 2 if total else 0.0


@dataclass(frozen=True)
class TicketOverlaps:
    """The overlap of any two of several tickets over the same weights, each with itself among them."""

    names: tuple[str, ...]
    layers: Mapping[tuple[str, str], Mapping[str, Overlap]]
    """Of each pair, in the order of the names, that of every layer."""

    @classmethod
    def of(cls, tickets: Mapping[str, Mapping[str, Tensor]]) -> Self:
        """Compare sets of masks of the same weights.

        Raises:
            UserError: see `overlaps`.
        """
        pairs = combinations_with_replacement(tickets, 2)
        return cls(tuple(tickets), {(a, b): overlaps(tickets[a], tickets[b]) for a, b in pairs})


def overlaps(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Overlap]:
    """Return the overlap of two sets of masks layer by layer, in the order of the first.

    Raises:
        UserError: they are masks of different weights; the first difference is named.
    """
    for name in (*first, *second):
        shapes = [tuple(masks[name].shape) if name in masks else None for masks in (first, second)]
        if shapes[0] != shapes[1]:
            found = ["nothing" if shape is None else f"shape {list(shape)}" for shape in shapes]
            raise UserError(
                f"masks can be compared only over the same weights; for {name} one has {found[0]}, the other {found[1]}"
            )
    return {name: Overlap.of(mask, second[name]) for name, mask in first.items()}
