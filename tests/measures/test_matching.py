from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.unit import DECIBEL, PLAIN, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.chance import crossed, crossed_parts
from robust_tickets.measures.figure import ACCURACY, Figure
from robust_tickets.measures.matching import Decision, decide, papers_rule
from robust_tickets.measures.mean_iou import MeanIoU


def verdicts(difference: float, spread: float, seeds: int, runs: int) -> dict[str, float]:
    """Share of each verdict when the true difference is known; dense varies much more than differences."""
    chance = np.random.default_rng(0)
    counts = {"matches": 0, "does not match": 0, "cannot tell": 0}
    for _ in range(runs):
        dense = chance.normal(0.7, 0.02, seeds)
        ticket = dense + chance.normal(difference, spread, seeds)
        counts[decide(ticket.tolist(), dense.tolist()).verdict] += 1
    return {verdict: count / runs for verdict, count in counts.items()}


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_at_the_margin_each_wrong_verdict_comes_at_its_level(seeds):
    share = verdicts(difference=-0.01, spread=0.005, seeds=seeds, runs=3000)
    assert share["matches"] == pytest.approx(0.05, abs=0.012)
    assert share["does not match"] == pytest.approx(0.05, abs=0.012)


def test_power():
    assert verdicts(difference=0.0, spread=0.004, seeds=5, runs=500)["matches"] > 0.95
    assert verdicts(difference=-0.02, spread=0.004, seeds=5, runs=500)["does not match"] > 0.95
    assert verdicts(difference=-0.05, spread=0.004, seeds=3, runs=500)["matches"] == 0


def test_interval_is_the_paired_t_interval():
    ticket, dense = [0.931, 0.925, 0.94, 0.921], [0.935, 0.92, 0.939, 0.93]
    decision = decide(ticket, dense, level=0.05)
    expected = ttest_rel(ticket, dense).confidence_interval(0.9)
    assert decision.interval is not None
    assert decision.interval.lower == pytest.approx(expected.low)
    assert decision.interval.upper == pytest.approx(expected.high)


def test_clear_verdicts():
    assert decide([0.93, 0.94, 0.935], [0.93, 0.941, 0.934]).verdict == "matches"
    assert decide([0.83, 0.84, 0.835], [0.93, 0.941, 0.934]).verdict == "does not match"
    assert decide([0.90, 0.94, 0.95], [0.93, 0.93, 0.93]).verdict == "cannot tell"


def test_a_better_ticket_matches():
    assert decide([0.95, 0.96, 0.94], [0.90, 0.91, 0.90]).verdict == "matches"


def test_one_seed_cannot_tell_and_asks_for_a_second():
    decision = decide([0.9], [0.5])
    assert (decision.verdict, decision.seeds_needed) == ("cannot tell", 2)
    assert decision.interval is None
    assert decision.papers_rule is None
    assert "at least 2 seeds" in decision.sentence()


def test_the_seeds_asked_for_would_decide_and_one_fewer_would_not():
    decision = decide([0.900, 0.910, 0.890], [0.905, 0.905, 0.905])
    assert decision.verdict == "cannot tell"
    assert decision.seeds_needed is not None
    assert 4 < decision.seeds_needed < 20

    def repeated(seeds: int) -> str:
        """The same mean and sample spread at another number of seeds."""
        pattern = np.resize([1.0, -1.0], seeds) if seeds % 2 == 0 else np.append(np.resize([1.0, -1.0], seeds - 1), 0)
        wave = pattern / pattern.std(ddof=1) * 0.01
        return decide((0.900 + wave).tolist(), [0.905] * seeds).verdict

    assert repeated(decision.seeds_needed) == "matches"
    assert repeated(decision.seeds_needed - 1) == "cannot tell"


def test_at_the_margin_no_number_of_seeds_is_promised():
    decision = decide([0.89, 0.90, 0.88], [0.90, 0.90, 0.90])
    assert (decision.verdict, decision.seeds_needed) == ("cannot tell", None)
    assert decision.sentence().endswith("; more than 100 seeds would be needed.")


def test_equal_differences_are_no_certainty():
    dense = [0.81, 0.91, 0.56]
    for ticket in ([0.80, 0.90, 0.55], [0.801, 0.901, 0.551], [0.799, 0.899, 0.549], dense):
        assert decide(ticket, dense).verdict == "cannot tell"
    told = decide([0.80, 0.90, 0.55], dense)
    assert told.seeds_needed is None
    assert told.sentence().endswith(
        "margin 1; all seeds differ by the same amount, so that nothing is known of others."
    )
    # As floats, 0.81 - 0.80 is above 0.01 and 0.91 - 0.90 is below, and each "spread" is 1e-17.
    assert decide([0.80, 0.90, 0.55], dense).interval == pytest.approx(Interval(lower=-0.01, upper=-0.01))


def test_parts_that_all_say_the_same_decide_nothing():
    """Rounding is no spread."""
    without = torch.full((20,), 0.504) + 1e-16 * torch.arange(20)
    paired = crossed_parts([(0.504, without)] * 3, [(0.5, torch.full((20,), 0.5))] * 3, 100)
    decision = decide([0.504] * 3, [0.5] * 3, paired=paired)
    assert (decision.verdict, decision.seeds_needed, decision.examples_needed) == ("cannot tell", None, None)


@pytest.mark.parametrize("level", [0.01, 0.2])
def test_a_stricter_level_asks_for_a_wider_interval(level):
    chance = torch.Generator().manual_seed(0)
    ticket, dense = ([torch.rand(500, generator=chance) < 0.9 for _ in range(3)] for _ in range(2))
    usual, other = (on(ticket, dense, level=one).interval for one in (0.05, level))
    assert usual is not None
    assert other is not None
    assert (other.upper - other.lower > usual.upper - usual.lower) == (level < 0.05)


def test_with_lower_is_better_parts_decide_the_other_way():
    spread = 0.3 * torch.linspace(-1, 1, 20).double()
    dense = [(20.0 + shift, 20.0 + shift + spread / 19) for shift in (0.0, 0.1, -0.1)]
    worse, better = ([(value + by, without + by) for value, without in dense] for by in (2.0, -2.0))
    for ticket, verdict in ((worse, "does not match"), (better, "matches")):
        paired = crossed_parts(ticket, dense, 200)
        decision = decide([one for one, _ in ticket], [one for one, _ in dense], 0.5, paired=paired, of=PERPLEXITY)
        assert decision.verdict == "cannot tell", "all parts and seeds say the same"
        moved = [(value, without + 0.001 * torch.arange(20)) for value, without in ticket]
        paired = crossed_parts(moved, dense, 200)
        assert (
            decide([one for one, _ in moved], [one for one, _ in dense], 0.5, paired=paired, of=PERPLEXITY).verdict
            == verdict
        )


def correct(*wrong: range, of: int) -> list[torch.Tensor]:
    """Return, per seed, correctness on examples that are right but for a range."""
    return [~torch.isin(torch.arange(of), torch.tensor(list(some))) for some in wrong]


def accuracies(some: list[torch.Tensor]) -> list[float]:
    """Return the accuracy of each seed."""
    return [one.double().mean().item() for one in some]


def on(ticket: list[torch.Tensor], dense: list[torch.Tensor], **more: Any) -> Decision:
    """Decide on what is right, example by example."""
    return decide(accuracies(ticket), accuracies(dense), paired=crossed(ticket, dense), **more)


def test_equal_differences_decide_where_the_examples_are_many():
    ticket, dense = correct(range(5), range(5), of=4000), correct(range(2), range(2), of=4000)
    assert on(ticket, dense).verdict == "matches"
    assert on(dense, dense).verdict == "matches"
    assert on(correct(range(90), range(90), of=4000), dense).verdict == "does not match"


@pytest.mark.parametrize("examples", [200, 1000])
def test_the_examples_asked_for_would_decide_and_a_tenth_fewer_would_not(examples):
    dense = correct(range(20), range(1, 21), range(21), of=examples)
    decision = on(dense, dense)
    seen = examples
    if decision.verdict == "cannot tell":
        assert decision.examples_needed is not None
        seen = decision.examples_needed

    def grown(count: int) -> list[torch.Tensor]:
        """The same errors among more examples, of which none tells the two apart."""
        return [torch.cat([one, torch.ones(count - examples, dtype=torch.bool)]) for one in dense]

    assert on(grown(seen), grown(seen)).verdict == "matches"
    if seen > examples:
        assert on(grown(int(0.9 * seen)), grown(int(0.9 * seen))).verdict == "cannot tell"


def test_what_would_decide_is_told_of_seeds_and_examples():
    chance = torch.Generator().manual_seed(3)
    ticket, dense = ([torch.rand(153, generator=chance) < 0.9 for _ in range(5)] for _ in range(2))
    decision = on(ticket, dense, margin=0.03)
    assert decision.verdict == "cannot tell"
    assert decision.examples == 153
    assert decision.seeds_needed is not None
    assert decision.examples_needed is not None
    assert decision.sentence("photographs").endswith(
        f"over 5 seeds and 153 photographs, margin 3; about {decision.seeds_needed} seeds or "
        f"{decision.examples_needed:,} photographs would decide."
    )


def test_a_choice_is_decided_over_seeds_on_these_examples():
    """Validation data choose; other images are the business of the test that confirms."""
    chance = torch.Generator().manual_seed(0)
    ticket, dense = ([torch.rand(60, generator=chance) < 0.9 for _ in range(3)] for _ in range(2))
    decision = on(ticket, dense, over_examples=False)
    assert decision.interval == decide(accuracies(ticket), accuracies(dense)).interval
    assert decision.examples is None
    assert on(ticket, dense).examples == 60


def test_pairing_by_seed_sees_through_what_seeds_have_in_common():
    dense = [0.60, 0.70, 0.80, 0.90]
    ticket = [0.602, 0.699, 0.801, 0.898]
    assert decide(ticket, dense).verdict == "matches"
    assert decide(ticket[::-1], dense).verdict == "cannot tell"


def test_papers_rule_is_one_standard_deviation_of_dense():
    dense = [0.90, 0.92, 0.94]
    assert papers_rule([0.90, 0.90, 0.90], dense) is True
    assert papers_rule([0.8999, 0.8999, 0.8999], dense) is False
    # It is lenient where it should not be: the decision differs.
    assert decide([0.90, 0.90, 0.90], dense).verdict != "matches"


@pytest.mark.parametrize(
    ("ticket", "dense", "named"),
    [
        ([0.9, 0.9], [0.9], "2 seeds and dense 1"),
        ([], [], "0 seeds"),
        ([93.1, 92.0], [93.0, 92.5], "93.1 is not a fraction: write 0.93"),
        ([0.9, float("nan")], [0.9, 0.9], "nan is not a fraction"),
    ],
)
def test_mistakes_are_named(ticket, dense, named):
    with pytest.raises(UserError, match=named):
        decide(ticket, dense)


PERPLEXITY = Figure("perplexity", unit=Unit(decimals=1), bounds=(1.0, None), higher_is_better=False)
PSNR = Figure("PSNR", unit=DECIBEL, bounds=(None, None))
CORRELATION = Figure("correlation", unit=PLAIN, bounds=(-1.0, 1.0))


@pytest.mark.parametrize(
    ("margin", "verdict", "seeds_needed"),
    # Differences .1, .2, .3: mean .2, deviation .1, half width 2.920 * .1 / sqrt(3) = .1686.
    [
        (0.37, "matches", None),
        (0.36, "cannot tell", 4),  # at 4 seeds 2.353 * .1 / 2 = .118, and .2 is .16 away
        (0.25, "cannot tell", 13),  # at 12 seeds 1.796 * .1 / sqrt(12) = .0518, at 13 .0494; .05 away
        (0.2, "cannot tell", None),
        (0.04, "cannot tell", 4),
        (0.03, "does not match", None),
    ],
)
def test_where_lower_is_better_the_margin_lies_above_dense(margin, verdict, seeds_needed):
    decision = decide([20.1, 20.3, 20.2], [20.0, 20.1, 19.9], margin, of=PERPLEXITY)
    assert decision.verdict == verdict
    assert decision.seeds_needed == seeds_needed
    assert decision.difference == pytest.approx(0.2)
    assert decision.gain == pytest.approx(-0.2)
    assert decision.interval is not None
    assert (decision.interval.lower, decision.interval.upper) == pytest.approx((0.0314, 0.3686), abs=1e-4)


def test_a_lower_perplexity_matches_whatever_the_margin():
    assert decide([18.1, 18.3, 18.2], [20.0, 20.0, 20.0], 0, of=PERPLEXITY).verdict == "matches"


def test_papers_rule_where_lower_is_better():
    dense = [20.0, 21.0, 22.0]
    assert papers_rule([22.0, 22.0, 22.0], dense, higher_is_better=False) is True
    assert papers_rule([22.01, 22.01, 22.01], dense, higher_is_better=False) is False
    assert papers_rule([18.0, 18.0, 18.0], dense, higher_is_better=False) is True
    assert decide([22.01, 22.01, 22.01], dense, of=PERPLEXITY).papers_rule is False


def test_a_metric_without_bounds_is_decided_in_its_own_unit():
    ticket, dense = [29.9, 30.8, 31.7], [30.0, 31.0, 32.0]
    decision = decide(ticket, dense, 0.37, of=PSNR)
    assert decision.sentence() == (
        "Matches: 30.800 dB against 31.000 dB dense, difference -0.200 dB [-0.369, -0.031] over 3 seeds, margin 0.37."
    )
    assert decide(ticket, dense, 0.03, of=PSNR).verdict == "does not match"
    assert decide([129.9, 130.8], [-2.0, 3.0], 2.0, of=PSNR).verdict == "matches"


def test_a_sentence_says_where_lower_is_better():
    assert decide([20.1, 20.3, 20.2], [20.0, 20.1, 19.9], 0.37, of=PERPLEXITY).sentence() == (
        "Matches: 20.20 against 20.00 dense, difference +0.20 [+0.03, +0.37] over 3 seeds, margin 0.37, lower is "
        "better."
    )
    assert decide([0.8512], [0.853], 0.01, of=CORRELATION).sentence() == (
        "Cannot tell from one seed: 0.8512 against 0.853 dense; run at least 2 seeds."
    )


@pytest.mark.parametrize(
    ("value", "margin", "of", "named"),
    [
        (0.9, 0.1, PERPLEXITY, "perplexity 0.9 is below 1, its smallest possible value"),
        (float("inf"), 0.1, PSNR, "PSNR inf is not a finite number"),
        (float("nan"), 0.1, CORRELATION, "correlation nan is not a finite number"),
        (1.2, 0.1, CORRELATION, "correlation 1.2 is above 1, its largest possible value"),
        (41.0, 0.1, MeanIoU(["ground", "sky"]), "mIoU 41 is not a fraction: write 0.93"),
        (0.9, 1.0, ACCURACY, "margin: is a fraction .* write 0.01 if you meant 1 points"),
        (0.9, 2.0, CORRELATION, "margin: 2 spans all values of correlation, -1 to 1"),
        (30.0, -0.1, PSNR, "margin: -0.1; it should be 0 or more"),
    ],
)
def test_values_and_margins_out_of_the_metrics_bounds_are_named(value, margin, of, named):
    with pytest.raises(UserError, match=named):
        decide([value, value], [value, value], margin, of=of)


def test_a_decision_from_before_metrics_had_units_is_one_on_fractions():
    decision = decide([0.93, 0.94, 0.935], [0.93, 0.941, 0.934])
    old = decision.model_dump(mode="json", exclude={"unit", "higher_is_better"})
    assert Decision.model_validate(old) == decision
    other = decide([20.1, 20.3], [20.0, 20.1], 0.37, of=PERPLEXITY)
    assert Decision.model_validate_json(other.model_dump_json()) == other


def test_a_decision_survives_json_and_says_one_line():
    decision = decide([0.93, 0.94, 0.935], [0.93, 0.941, 0.934])
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert decision.sentence() == (
        "Matches: 93.50 % against 93.50 % dense, difference +0.00 points [-0.17, +0.17] over 3 seeds, margin 1."
    )
