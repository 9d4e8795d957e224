"""The 2 % rule, on barriers worked out by hand."""

import pytest

from robust_tickets.analysis.barriers import Barriers
from robust_tickets.analysis.interpolation import Path
from robust_tickets.analysis.loss import Reached


def test_the_mean_over_pairs_decides_and_the_pairs_are_counted() -> None:
    found = Barriers((0.005, 0.01, 0.039))
    assert found.mean == pytest.approx(0.018)
    assert found.spread == pytest.approx((0.5 * (0.013**2 + 0.008**2 + 0.021**2)) ** 0.5)
    assert found.are_low
    assert found.low == 2


@pytest.mark.parametrize(
    ("barriers", "stable"),
    [((0.0199,), True), ((0.02,), False), ((0.01, 0.03), False), ((0.0, 0.0), True), ((0.5, 0.0), False)],
)
def test_below_two_points_is_stable_and_at_two_points_is_not(barriers: tuple[float, ...], stable: bool) -> None:
    assert Barriers(barriers).are_low is stable


def test_the_limit_is_a_choice_and_one_pair_has_no_spread() -> None:
    assert Barriers((0.04,), limit=0.05).are_low
    assert Barriers((0.04,)).spread is None


def test_an_instability_is_the_highest_error_over_the_mean_of_the_ends() -> None:
    errors = (0.10, 0.13, 0.08, 0.14)
    path = Path((0.0, 0.3, 0.6, 1.0), tuple(Reached(0.0, error) for error in errors))
    assert Barriers((path.barrier,)).mean == pytest.approx(0.14 - 0.12)
