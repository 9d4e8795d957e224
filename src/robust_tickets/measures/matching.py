"""Whether a ticket matches dense: a decision with an error rate, not a comparison of two means.

The ticket matches if it is at most `margin` worse than dense: a non-inferiority test on the metric's values of
runs paired by seed, in its own unit and direction. Test examples are paired too, one by one or in parts of the set, and
the interval covers both sources of chance (`chance.py`): other seeds, and other test examples. On either side a wrong
decision has about probability `level` at most (docs/matching.md), because the interval between them has coverage
1 - 2 * level.
"""

from collections.abc import Callable, Sequence
from math import floor, log10, sqrt
from statistics import fmean, stdev
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.samples import told_enough, told_samples
from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.chance import Crossed, quantile
from robust_tickets.measures.figure import ACCURACY, Quantity, require_margin, require_value

Conclusion = Literal["matches", "does not match", "cannot tell"]

SEEDS_CAP = 100
"""Beyond this many seeds no estimate is given: the difference sits at the margin."""

EXAMPLES_CAP = 100
"""Beyond this many times the test examples no estimate is given either."""

RESOLUTION = 9
"""Decimals kept of differences: finer than one image in any test set, coarser than float rounding."""


class Decision(Settings):
    """The verdict on one metric, with everything it rests on. Values are in the metric's own unit."""

    verdict: Conclusion
    ticket: float = Field(description="The ticket's mean over seeds.")
    dense: float = Field(description="Dense's mean over seeds.")
    interval: Interval | None = Field(
        description="Interval of the mean of ticket - dense over seeds and, where they are paired, over test examples; "
        "coverage at least 1 - 2 * level; null with one seed."
    )
    seeds: int = Field(description="Number of pairs.")
    seeds_needed: int | None = Field(
        description="Estimated number of pairs that would decide; null if decided, or if more than 100."
    )
    examples: int | None = later_field(
        None, description="Number of test examples that the interval accounts for; absent: it is over seeds alone."
    )
    examples_needed: int | None = later_field(
        None,
        description="Estimated number of test examples that would decide with these seeds, to two digits; absent if "
        "decided, or if more than 100 times as many.",
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

    @property
    def has_no_spread(self) -> bool:
        """Whether the interval is a point: seeds, and what else was paired, differ by the same amount throughout."""
        return self.interval is not None and round(self.interval.upper - self.interval.lower, RESOLUTION) == 0

    def sentence(self, noun: str = "images") -> str:
        """Return the decision as one plain line; `noun` is what it was measured on."""
        figures = f"{self.unit.told(self.ticket)} against {self.unit.told(self.dense)} dense"
        if self.interval is None:
            return f"Cannot tell from one seed: {figures}{self._on_test(noun)}; run at least {self.seeds_needed} seeds."
        samples = told_samples(self.seeds, self.examples, noun)
        grounds = (
            f"{figures}, {self._difference(self.interval)} over {samples}, margin "
            f"{self.unit.scaled(self.margin):g}{'' if self.higher_is_better else ', lower is better'}"
        )
        if self.verdict == "cannot tell" and self.has_no_spread:
            return f"Cannot tell: {grounds}; all seeds differ by the same amount, so that nothing is known of others."
        if self.verdict == "cannot tell":
            return f"Cannot tell: {grounds}; {self.needed(noun)}."
        return f"{self.verdict.capitalize()}: {grounds}."

    def needed(self, noun: str = "images") -> str:
        """Return how many seeds or examples would decide, as `about 12 seeds or 900 images would decide`."""
        if enough := told_enough(self.seeds_needed, self.examples_needed, noun):
            return f"about {enough} would decide"
        more = f" or {EXAMPLES_CAP * self.examples:,} {noun}" if self.examples is not None else ""
        return f"more than {SEEDS_CAP} seeds{more} would be needed"

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
    paired: Crossed | None = None,
    *,
    over_examples: bool = True,
    itself: bool = False,
    of: Quantity = ACCURACY,
) -> Decision:
    """Decide whether the ticket matches dense.

    An interval of coverage 1 - 2 * level of the mean paired difference: all of it better than `margin` worse is
    "matches", all of it worse is "does not match", anything else "cannot tell". Without `paired` it is Student's over
    seeds; seeds that differ by nothing then decide nothing, because their spread is not known.

    Args:
        ticket: values of the metric in its own unit, one per seed; accuracies are fractions in [0, 1].
        dense: those of the dense network, the same seeds in the same order.
        margin: the largest loss still called a match, in the metric's unit; below 1 of a fraction.
        level: largest probability of a wrong decision in either direction, in (0, 0.5).
        paired: the same differences, example by example, see `chance.py`; None: nothing is known of examples.
        over_examples: whether the decision is about other examples, too. False: about other seeds on these examples,
            as in a choice among tickets that other examples confirm; seeds that differ by nothing then decide.
        itself: dense is compared with itself: no difference, and no chance.
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
    both = paired if over_examples else None
    interval, verdict, examples_needed = None, "cannot tell", None
    needed = 2 if seeds == 1 else None
    if itself and seeds > 1:
        interval, verdict = Interval(lower=0.0, upper=0.0), "matches"
    elif seeds > 1:
        interval = both.interval(level) if both is not None else interval_over_seeds(differences, level)

        def verdict_on(found: Interval) -> Conclusion:
            return conclusion_of(
                found if of.higher_is_better else Interval(lower=-found.upper, upper=-found.lower), margin
            )

        # Seeds that differ by nothing do not show how others would.
        known = both.is_known if both is not None else not over_examples or len(set(differences)) > 1
        verdict = verdict_on(interval) if known else "cannot tell"
        if known and verdict == "cannot tell":
            needed = _seeds_needed(differences, both, level, verdict_on)
            examples_needed = _examples_needed(both, level, verdict_on) if both is not None else None
    return Decision(
        verdict=verdict,
        ticket=fmean(ticket),
        dense=fmean(dense),
        interval=interval,
        seeds=seeds,
        seeds_needed=needed,
        examples=both.examples if both is not None else None,
        examples_needed=examples_needed,
        papers_rule=papers_rule(ticket, dense, of.higher_is_better),
        margin=margin,
        level=level,
        test_interval=paired.over_examples(level) if paired is not None and not itself else None,
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


def interval_over_seeds(differences: Sequence[float], level: float) -> Interval:
    """Return Student's interval, coverage 1 - 2 * level, of the mean of at least two differences."""
    return _around(fmean(differences), half_width(stdev(differences), len(differences), level))


def half_width(spread: float, seeds: int, level: float) -> float:
    """Return half the t-interval of coverage 1 - 2 * level for a standard deviation over `seeds` pairs."""
    return quantile(level, seeds - 1) * spread / sqrt(seeds)


def _around(mean: float, half: float) -> Interval:
    return Interval(lower=mean - half, upper=mean + half)


def conclusion_of(gain: Interval, margin: float) -> Conclusion:
    """Return the verdict that an interval of what the ticket gains implies."""
    if round(gain.lower + margin, RESOLUTION) > 0:
        return "matches"
    if round(gain.upper + margin, RESOLUTION) < 0:
        return "does not match"
    return "cannot tell"


def _seeds_needed(
    differences: Sequence[float], paired: Crossed | None, level: float, verdict_on: Callable[[Interval], Conclusion]
) -> int | None:
    """Return the smallest number of pairs that would decide if mean and spread stayed as they are."""
    mean, spread, seeds = fmean(differences), stdev(differences), len(differences)
    for candidate in range(seeds + 1, SEEDS_CAP + 1):
        foreseen = (
            paired.foreseen(candidate, paired.examples).interval(level)
            if paired is not None
            else _around(mean, half_width(spread, candidate, level))
        )
        if verdict_on(foreseen) != "cannot tell":
            return candidate
    return None


def _examples_needed(paired: Crossed, level: float, verdict_on: Callable[[Interval], Conclusion]) -> int | None:
    """Return about how many examples would decide with these seeds, rounded up to two digits."""

    def decides(examples: int) -> bool:
        return verdict_on(paired.foreseen(paired.seeds, examples).interval(level)) != "cannot tell"

    least, enough = paired.examples, paired.examples * EXAMPLES_CAP
    if not decides(enough):
        return None
    while enough - least > 1:
        middle = (least + enough) // 2
        least, enough = (least, middle) if decides(middle) else (middle, enough)
    digit = 10 ** max(floor(log10(enough)) - 1, 0)
    return -(-enough // digit) * digit
