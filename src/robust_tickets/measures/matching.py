"""Whether a ticket matches dense: a decision with an error rate, not a comparison of two means.

The ticket matches if it is at most `margin` worse than dense: a non-inferiority test on the metric's values of
runs paired by seed, in its own unit and direction. On either side a wrong decision has at most probability `level`,
as far as the paired differences are normal, because the interval between them has coverage 1 - 2 * level.
"""

from collections.abc import Sequence
from functools import cache
from math import sqrt
from statistics import fmean, stdev
from typing import Literal

from pydantic import Field
from scipy.special import stdtrit

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.figure import ACCURACY, Quantity, require_margin, require_value

Conclusion = Literal["matches", "does not match", "cannot tell"]

SEEDS_CAP = 100
"""Beyond this many seeds no estimate is given: the difference sits at the margin."""

RESOLUTION = 9
"""Decimals kept of differences: finer than one image in any test set, coarser than float rounding."""


class Decision(Settings):
    """The verdict on one metric, with everything it rests on. Values are in the metric's own unit."""

    verdict: Conclusion
    ticket: float = Field(description="The ticket's mean over seeds.")
    dense: float = Field(description="Dense's mean over seeds.")
    interval: Interval | None = Field(
        description="Interval of the mean of ticket - dense over seeds, coverage 1 - 2 * level; null with one seed."
    )
    seeds: int = Field(description="Number of pairs.")
    seeds_needed: int | None = Field(
        description="Estimated number of pairs that would decide; null if decided, or if more than 100."
    )
    papers_rule: bool | None = Field(
        description="Ticket mean no worse than dense mean by more than one standard deviation of dense; null with one "
        "seed."
    )
    margin: float
    level: float
    test_interval: Interval | None = Field(
        description="Interval of ticket - dense from the finite test set alone, coverage 1 - 2 * level."
    )
    unit: Unit = Field(default=PERCENT, description="How the values are written.")
    higher_is_better: bool = Field(default=True, description="Whether a higher value is better.")

    @property
    def difference(self) -> float:
        """Mean of ticket - dense."""
        return self.ticket - self.dense

    @property
    def gain(self) -> float:
        """How much better the ticket is, in the metric's unit; below 0 it is worse."""
        return self.difference if self.higher_is_better else -self.difference

    def sentence(self, noun: str = "images") -> str:
        """Return the decision as one plain line; `noun` is what it was measured on."""
        figures = f"{self.unit.told(self.ticket)} against {self.unit.told(self.dense)} dense"
        if self.interval is None:
            return f"Cannot tell from one seed: {figures}{self._on_test(noun)}; run at least {self.seeds_needed} seeds."
        grounds = (
            f"{figures}, {self._difference(self.interval)} over {self.seeds} seeds, margin "
            f"{self.unit.scaled(self.margin):g}{'' if self.higher_is_better else ', lower is better'}"
        )
        if self.verdict == "cannot tell":
            needed = f"about {self.seeds_needed}" if self.seeds_needed else f"more than {SEEDS_CAP}"
            return f"Cannot tell: {grounds}; {needed} seeds would decide."
        return f"{self.verdict.capitalize()}: {grounds}."

    def _on_test(self, noun: str) -> str:
        """Return what the test set alone says about one pair, whose seeds say nothing."""
        if self.test_interval is None:
            return ""
        return f", {self._difference(self.test_interval)} over these test {noun}, which says nothing about other seeds"

    def _difference(self, interval: Interval) -> str:
        lower, upper = (self.unit.signed(end, self.unit.exact) for end in (interval.lower, interval.upper))
        return f"difference {self.unit.difference(self.difference)} [{lower}, {upper}]"


def decide(
    ticket: Sequence[float],
    dense: Sequence[float],
    margin: float = 0.01,
    level: float = 0.05,
    test_interval: Interval | None = None,
    *,
    of: Quantity = ACCURACY,
) -> Decision:
    """Decide whether the ticket matches dense.

    A t-interval of coverage 1 - 2 * level over the paired differences: all of it better than `margin` worse is
    "matches", all of it worse is "does not match", anything else "cannot tell". Without any spread between the
    differences the interval is a point and decides alone.

    Args:
        ticket: values of the metric in its own unit, one per seed; accuracies are fractions in [0, 1].
        dense: those of the dense network, the same seeds in the same order.
        margin: the largest loss still called a match, in the metric's unit; below 1 of a fraction.
        level: largest probability of a wrong decision in either direction, in (0, 0.5).
        test_interval: kept with the decision, see `sampling_uncertainty.py`.
        of: the metric: its unit, its bounds, and whether higher is better.

    Raises:
        UserError: the numbers of seeds differ or are zero, or a value or the margin is out of the metric's bounds.
    """
    if len(ticket) != len(dense) or not ticket:
        raise UserError(f"ticket has {len(ticket)} seeds and dense {len(dense)}: give both for the same seeds")
    for value in [*ticket, *dense]:
        require_value(of, value)
    require_margin(of, margin)
    differences = [round(one - other, RESOLUTION) for one, other in zip(ticket, dense, strict=True)]
    seeds = len(differences)
    interval, verdict, needed = None, "cannot tell", max(seeds + 1, 2)
    if seeds > 1:
        mean, spread = fmean(differences), stdev(differences)
        half = half_width(spread, seeds, level)
        interval = Interval(lower=mean - half, upper=mean + half)
        gained = interval if of.higher_is_better else Interval(lower=-interval.upper, upper=-interval.lower)
        verdict = _verdict(gained, margin)
        mean_gain = mean if of.higher_is_better else -mean
        needed = _seeds_needed(mean_gain, spread, seeds, margin, level) if verdict == "cannot tell" else None
    return Decision(
        verdict=verdict,
        ticket=fmean(ticket),
        dense=fmean(dense),
        interval=interval,
        seeds=seeds,
        seeds_needed=needed,
        papers_rule=papers_rule(ticket, dense, of.higher_is_better),
        margin=margin,
        level=level,
        test_interval=test_interval,
        unit=of.unit,
        higher_is_better=of.higher_is_better,
    )


def papers_rule(ticket: Sequence[float], dense: Sequence[float], higher_is_better: bool = True) -> bool | None:
    """Return whether the ticket's mean is within one standard deviation of dense's mean, or better.

    The custom of the lottery-ticket papers. Its error rate is unknown and it grows more lenient with
    noisier dense runs, so it is reported with the decision and never decides. None with one dense seed.
    """
    if len(dense) < 2:
        return None
    difference = fmean(ticket) - fmean(dense)
    return round((difference if higher_is_better else -difference) + stdev(dense), RESOLUTION) >= 0


def half_width(spread: float, seeds: int, level: float) -> float:
    """Return half the t-interval of coverage 1 - 2 * level for a standard deviation over `seeds` pairs."""
    return _quantile(level, seeds - 1) * spread / sqrt(seeds)


@cache
def _quantile(level: float, freedom: int) -> float:
    """Return the upper `level` quantile of Student's t."""
    return float(stdtrit(freedom, 1 - level))


def _verdict(interval: Interval, margin: float) -> Conclusion:
    """Return the verdict that an interval of gains implies."""
    if round(interval.lower + margin, RESOLUTION) > 0:
        return "matches"
    if round(interval.upper + margin, RESOLUTION) < 0:
        return "does not match"
    return "cannot tell"


def _seeds_needed(mean: float, spread: float, seeds: int, margin: float, level: float) -> int | None:
    """Return the smallest number of pairs that would decide if mean and spread stayed as they are."""
    distance = abs(mean + margin)
    for candidate in range(seeds + 1, SEEDS_CAP + 1):
        if half_width(spread, candidate, level) < distance:
            return candidate
    return None
