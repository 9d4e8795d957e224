import numpy as np
import pytest
from scipy.stats import ttest_rel

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.matching import Decision, decide, papers_rule


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
    assert "more than 100 seeds" in decision.sentence()


def test_differences_without_spread_decide_by_their_value():
    # As floats, 0.81 - 0.80 is above 0.01 and 0.91 - 0.90 is below, and each "spread" is 1e-17.
    dense = [0.81, 0.91, 0.56]
    assert decide([0.80, 0.90, 0.55], dense).verdict == "cannot tell"
    assert decide([0.801, 0.901, 0.551], dense).verdict == "matches"
    assert decide([0.799, 0.899, 0.549], dense).verdict == "does not match"
    assert decide(dense, dense).interval == Interval(lower=0, upper=0)


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
    ],
)
def test_mistakes_are_named(ticket, dense, named):
    with pytest.raises(UserError, match=named):
        decide(ticket, dense)


def test_a_decision_survives_json_and_says_one_line():
    decision = decide([0.93, 0.94, 0.935], [0.93, 0.941, 0.934], test_interval=Interval(lower=-0.005, upper=0.004))
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert decision.sentence() == (
        "Matches: 93.50 % against 93.50 % dense, difference +0.00 points [-0.17, +0.17] over 3 seeds, margin 1."
    )
