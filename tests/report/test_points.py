"""Averaging over seeds, and nothing but seeds."""

import pytest

from robust_tickets.report.points import Spread, panels, points
from tests.report.examples import row, study


def test_mean_and_sample_deviation_over_seeds() -> None:
    (point,) = points([row(seed=seed, standard_accuracy=0.9 + 0.01 * seed) for seed in range(3)])
    assert point.standard.mean == pytest.approx(0.91)
    assert point.standard.std == pytest.approx(0.01)  # divides by n - 1
    assert point.standard.seeds == 3


def test_one_seed_has_no_deviation() -> None:
    assert Spread.of([0.9]).std is None


@pytest.mark.parametrize(
    "differing",
    [
        {"series": "natural"},
        {"ticket": "random"},
        {"group": "channel"},
        {"timeline": "iterative"},
        {"drawing": "a-imp"},
        {"training": "long"},
        {"sparsity": 0.8926},
        {"transfer": "linear"},
        {"objective": "pgd"},
        {"target": "SVHN"},
        {"fraction": "10 %"},
    ],
)
def test_settings_that_differ_in_anything_else_are_kept_apart(differing: dict) -> None:
    assert len(points([row(), row(seed=1, **differing)])) == 2


def test_soft_thresholds_of_nearly_equal_sparsity_are_one_point() -> None:
    (point,) = points([row(sparsity=0.90011), row(seed=1, sparsity=0.90033)])
    assert point.sparsity == pytest.approx(0.90022)


def test_robust_accuracy_is_averaged_over_the_seeds_that_were_attacked() -> None:
    (point,) = points([row(robust_accuracy=0.4), row(seed=1)])
    assert point.robust == Spread(0.4, None, 1)
    assert point.standard.seeds == 2


def test_panels_are_clean_accuracy_by_transfer_then_accuracy_under_attack() -> None:
    assert [(panel.measure, panel.transfer) for panel in panels(study().rows)] == [
        ("standard", "linear"),
        ("standard", "full"),
        ("robust", "linear"),
        ("robust", "full"),
    ]


def test_a_panel_says_how_many_seeds_its_points_have() -> None:
    (panel,) = panels([row(), row(seed=1), row(seed=2), row(sparsity=0.5)])
    assert panel.seeds == "1 to 3 seeds"
