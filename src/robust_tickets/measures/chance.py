"""How far a mean difference may be due to chance: of the training seeds, of the test examples, and of both at once.

Every seed meets the same test examples, so the two are crossed (Cornfield and Tukey, 1956). The difference of seed s on
example i is d[s, i] = mean + seed[s] + example[i] + rest[s, i], and the variance of the mean over S seeds and N
examples is V(seeds) / S + V(examples) / N + V(rest) / (S N). Its parts are known with S - 1 and about N degrees of
freedom: the squares of their t-intervals are added (Banerjee, 1960, Sankhya 22), which holds the level for any S and N
if the parts are normal. `benchmarks/error_rates.py` simulates both error rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.accuracy import Interval

if TYPE_CHECKING:
    from torch import Tensor


NEGLIGIBLE = 1e-18
"""Variance that is rounding: of differences of 1e-9."""


@final
@dataclass(frozen=True)
class Crossed:
    """Differences [S, N] of S seeds on N units, as far as their mean and its chance go.

    Units are examples, whose differences lie in [-1, 1], or parts of a set, each of `size` examples.
    """

    mean: float
    seeds: int
    units: int
    between_seeds: float
    """Variance between the means of seeds (divisor S - 1); 0 with one seed."""
    between_units: float
    """Variance between the means of units (divisor N - 1)."""
    rest: float
    """Variance of what neither seed nor unit explains (divisor (S - 1)(N - 1)); 0 with one seed."""
    size: float | None = None
    """Examples of a part; None: units are examples."""

    @property
    def examples(self) -> int:
        """Number of test examples."""
        return round(self.units * (self.size or 1))

    @property
    def is_known(self) -> bool:
        """Whether chance is known: parts of a set that all say the same say nothing."""
        return self.size is None or self.between_units + self.between_seeds > NEGLIGIBLE

    def interval(self, level: float) -> Interval:
        """Return the interval of the mean over draws of seeds and examples, coverage at least 1 - 2 * level.

        With one seed it is the interval over examples alone. Of examples, either end is computed as if one more had
        gone that way for every seed, and is moved by the next term of Cornish and Fisher's expansion, as the exact
        limits of a rare event are: no example of 300 got worse is consistent with one of 100 getting worse.
        """
        noise = self.rest / (self.seeds * self.units)
        normal = NormalDist().inv_cdf(1 - level)
        # What seeds show is never less than what chance within them alone would.
        among_seeds = normal**2 * noise
        if self.seeds > 1:
            among_seeds = max(among_seeds, quantile(level, self.seeds - 1) ** 2 * self.between_seeds / self.seeds)
        if self.size is not None:
            excess = max(self.between_units / self.units - noise, 0)
            half = sqrt(among_seeds + quantile(level, self.units - 1) ** 2 * excess)
            return Interval(lower=self.mean - half, upper=self.mean + half)
        ends: list[float] = []
        for one_more in (-1.0, 1.0):
            squares = self.between_units * (self.units - 1)
            squares += (one_more - self.mean) ** 2 * self.units / (self.units + 1)
            # The noise is in the spread of seeds already.
            excess = max(squares / (self.units * (self.units + 1)) - noise, 0)
            half = sqrt(among_seeds + quantile(level, self.units) ** 2 * excess)
            centre = (self.units * self.mean + one_more) / (self.units + 1)
            end = centre + one_more * (half + max(normal**2 - 1, 0) / (3 * self.units))
            ends.append(min(max(end, -1.0), 1.0))
        return Interval(lower=ends[0], upper=ends[1])

    def over_examples(self, level: float) -> Interval:
        """Return the same over draws of the examples alone, for these seeds."""
        return replace(self, seeds=1, between_seeds=0.0, rest=0.0).interval(level)

    def foreseen(self, seeds: int, examples: int) -> Crossed:
        """Return what to expect of another number of seeds or examples, if mean and causes stay as they are."""
        units = max(2, round(examples / (self.size or 1)))
        of_seeds = max(self.between_seeds - self.rest / self.units, 0)
        of_units = max(self.between_units - self.rest / self.seeds, 0)
        return replace(
            self,
            seeds=seeds,
            units=units,
            between_seeds=of_seeds + self.rest / units,
            between_units=of_units + self.rest / seeds,
        )


def crossed(ticket: Sequence[Tensor], dense: Sequence[Tensor]) -> Crossed:
    """Return the differences of ticket - dense, seed by seed and example by example.

    Args:
        ticket: per seed, correctness bool [N] on the same N >= 2 examples in the same order.
        dense: the same of the dense network.
    """
    return crossed_of(torch.stack(list(ticket)).double() - torch.stack(list(dense)).double())


def crossed_parts(
    ticket: Sequence[tuple[float, Tensor]], dense: Sequence[tuple[float, Tensor]], examples: int
) -> Crossed:
    """Return the differences of a set's metric, seed by seed and part by part, by the jackknife's pseudo-values.

    A part contributes P * (the metric) - (P - 1) * (the metric without it), of P parts; where the metric is a mean over
    examples, that is the mean over the part.

    Args:
        ticket: per seed, the metric, and without each part of the set in turn, float64 [P].
        dense: the same of the dense network.
        examples: number of examples of the set.
    """
    parts = len(ticket[0][1])

    def contributions(found: Sequence[tuple[float, Tensor]]) -> Tensor:
        return torch.stack([parts * whole - (parts - 1) * without.double() for whole, without in found])

    # The jackknife's mean has a bias of its own; what is decided on is the metric.
    mean = fmean(one - other for (one, _), (other, _) in zip(ticket, dense, strict=True))
    found = crossed_of(contributions(ticket) - contributions(dense))
    return replace(found, mean=mean, size=examples / parts)


def crossed_of(each: Tensor) -> Crossed:
    """Return mean and variances of differences, float64 [S, N]."""
    seeds, units = each.shape
    mean, of_seeds, of_units = each.mean(), each.mean(1), each.mean(0)
    several = seeds > 1
    rest = each - of_seeds[:, None] - of_units + mean
    return Crossed(
        mean.item(),
        seeds,
        units,
        between_seeds=of_seeds.var().item() if several else 0.0,
        between_units=of_units.var().item(),
        rest=rest.square().sum().item() / ((seeds - 1) * (units - 1)) if several else 0.0,
    )


@cache
def quantile(level: float, freedom: int) -> float:
    """Return the upper `level` quantile of Student's t."""
    # Here, because every recipe imports this file.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - level))
