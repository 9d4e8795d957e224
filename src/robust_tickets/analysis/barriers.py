"""Instability: whether copies of one start, trained under different noise, stay in one linearly connected minimum."""

from dataclasses import dataclass
from statistics import fmean, stdev

RESOLUTION = 9
"""Decimals kept of errors: finer than one image in any test set, coarser than float rounding."""

STABLE_BELOW = 0.02
"""The rule of Frankle et al.: an instability below 2 points is stable."""


@dataclass(frozen=True)
class Instability:
    """The error barriers between copies of one start (Frankle et al., 2020, arXiv 1912.05671, section 2)."""

    barriers: tuple[float, ...]
    """Of every pair of copies: the highest error on the line minus the mean of its ends, at least 0, at most 1."""
    stable_below: float = STABLE_BELOW
    """In (0, 1)."""

    @property
    def mean(self) -> float:
        """Return the mean over pairs."""
        return fmean(self.barriers)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation over pairs, which share copies; None of one pair."""
        return stdev(self.barriers) if len(self.barriers) > 1 else None

    @property
    def is_stable(self) -> bool:
        """Return whether the mean over pairs is below the limit; one at the limit is not."""
        return self._is_below(self.mean)

    @property
    def stable_pairs(self) -> int:
        """Return how many pairs are below the limit by themselves."""
        return sum(map(self._is_below, self.barriers))

    def _is_below(self, value: float) -> bool:
        return round(value, RESOLUTION) < round(self.stable_below, RESOLUTION)
