"""Barriers: of several pairs of networks together, and the rule that says whether they are low."""

from dataclasses import dataclass
from statistics import fmean, stdev

RESOLUTION = 9
"""Decimals kept of errors: finer than one image in any test set, coarser than float rounding."""

LIMIT = 0.02
"""The rule of Frankle et al. (2020, arXiv 1912.05671): below 2 points, copies of one start are stable."""


@dataclass(frozen=True)
class Barriers:
    """The error barriers between several pairs of networks that answer one question.

    Between copies of one start, trained under different noise, their mean is that start's instability (Frankle et al.,
    2020, section 2).
    """

    values: tuple[float, ...]
    """Of every pair, in [0, 1]; at least one. Of copies `Path.barrier`, of tickets that differ `Path.rise`."""
    limit: float = LIMIT
    """In (0, 1)."""

    @property
    def mean(self) -> float:
        """Return the mean over pairs."""
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation over pairs; None of one pair."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def are_low(self) -> bool:
        """Return whether their mean is below the limit; one at the limit is not."""
        return self._is_low(self.mean)

    @property
    def low(self) -> int:
        """Return how many pairs are below the limit by themselves."""
        return sum(map(self._is_low, self.values))

    def told(self) -> str:
        """Write mean and spread in points, as `1.2 ± 0.3`."""
        return f"{100 * self.mean:.1f}" + (f" ± {100 * self.spread:.1f}" if self.spread is not None else "")

    def _is_low(self, value: float) -> bool:
        return round(value, RESOLUTION) < round(self.limit, RESOLUTION)
