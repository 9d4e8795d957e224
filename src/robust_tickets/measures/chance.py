"""How far a mean difference may be due to chance: of the training seeds, of the test examples, and of both at once.

Every seed meets the same test examples, so the two are crossed (Cornfield and Tukey, 1956). The difference of seed s on
example i is d[s, i] = mean + seed[s] + example[i] + rest[s, i], and the variance of the mean over S seeds and N
examples is V(seeds) / S + V(examples) / N + V(rest) / (S N). Its parts are known with S - 1 and about N degrees of
freedom: the squares of their t-intervals are added (Banerjee, 1960, Sankhya 22), which holds the level for any S and N.
`benchmarks/error_rates.py` simulates both error rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.accuracy import Interval

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True)
class Crossed:
    """Differences [S, N] of S seeds on N examples, each in [-1, 1], as far as their mean and its chance go."""

    mean: float
    seeds: int
    examples: int
    between_seeds: float
    """Variance between the means of seeds (divisor S - 1); 0 with one seed."""
    between_examples: float
    """Variance between the means of examples (divisor N - 1)."""
    rest: float
    """Variance of what neither seed nor example explains (divisor (S - 1)(N - 1)); 0 with one seed."""

    def interval(self, level: float) -> Interval:
        """Return the interval of the mean over draws of seeds and examples, coverage at least 1 - 2 * level.

        With one seed it is the interval over examples alone. Either end is computed as if one more example had gone
        that way for every seed, and is moved by the next term of Cornish and Fisher's expansion, as the exact limits of
        a rare event are: no example of 300 got worse is consistent with one of 100 getting worse.
        """
        noise = self.rest / (self.seeds * self.examples)
        normal = NormalDist().inv_cdf(1 - level)
        # What seeds show is never less than what chance within them alone would.
        among_seeds = normal**2 * noise
        if self.seeds > 1:
            among_seeds = max(among_seeds, quantile(level, self.seeds - 1) ** 2 * self.between_seeds / self.seeds)
        ends: list[float] = []
        for one_more in (-1.0, 1.0):
            squares = self.between_examples * (self.examples - 1)
            squares += (one_more - self.mean) ** 2 * self.examples / (self.examples + 1)
            # The noise is in the spread of seeds already.
            excess = max(squares / (self.examples * (self.examples + 1)) - noise, 0)
            half = sqrt(among_seeds + quantile(level, self.examples) ** 2 * excess)
            centre = (self.examples * self.mean + one_more) / (self.examples + 1)
            end = centre + one_more * (half + max(normal**2 - 1, 0) / (3 * self.examples))
            ends.append(min(max(end, -1.0), 1.0))
        return Interval(lower=ends[0], upper=ends[1])

    def over_examples(self, level: float) -> Interval:
        """Return the same over draws of the examples alone, for these seeds."""
        return replace(self, seeds=1, between_seeds=0.0, rest=0.0).interval(level)

    def foreseen(self, seeds: int, examples: int) -> Crossed:
        """Return what to expect of another number of seeds or examples, if mean and causes stay as they are."""
        of_seeds = max(self.between_seeds - self.rest / self.examples, 0)
        of_examples = max(self.between_examples - self.rest / self.seeds, 0)
        return Crossed(
            self.mean,
            seeds,
            examples,
            between_seeds=of_seeds + self.rest / examples,
            between_examples=of_examples + self.rest / seeds,
            rest=self.rest,
        )


def crossed(ticket: Sequence[Tensor], dense: Sequence[Tensor]) -> Crossed:
    """Return the differences of ticket - dense, seed by seed and example by example.

    Args:
        ticket: per seed, correctness bool [N] on the same N >= 2 examples in the same order.
        dense: the same of the dense network.
    """
    each = torch.stack(list(ticket)).double() - torch.stack(list(dense)).double()
    seeds, examples = each.shape
    mean, of_seeds, of_examples = each.mean(), each.mean(1), each.mean(0)
    several = seeds > 1
    rest = each - of_seeds[:, None] - of_examples + mean
    return Crossed(
        mean.item(),
        seeds,
        examples,
        between_seeds=of_seeds.var().item() if several else 0.0,
        between_examples=of_examples.var().item(),
        rest=rest.square().sum().item() / ((seeds - 1) * (examples - 1)) if several else 0.0,
    )


@cache
def quantile(level: float, freedom: int) -> float:
    """Return the upper `level` quantile of Student's t."""
    # Here, because every recipe imports this file.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - level))
