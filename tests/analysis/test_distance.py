"""Angles and distances between networks."""

import pytest
import torch

from robust_tickets.analysis.distance import (
    angle,
    angular_distance,
    displacement,
    distance,
    shared_masks,
    survivors,
)


def weights(*values: float) -> dict[str, torch.Tensor]:
    vector = torch.tensor(values, dtype=torch.float64)
    return {"a": vector[:1], "b": vector[1:]}


def test_angles_computed_by_hand() -> None:
    assert angle(weights(1, 2, 3), weights(1, 2, 3)) == 0
    assert angle(weights(1, 2, 3), weights(2, 4, 6)) == pytest.approx(0, abs=1e-12)
    assert angle(weights(1, 0, 0), weights(0, 0, 5)) == pytest.approx(90)
    assert angle(weights(1, 0, 0), weights(1, 1, 0)) == pytest.approx(45)
    assert angle(weights(1, 2, 3), weights(-1, -2, -3)) == pytest.approx(180)
    assert angle(weights(1, 0, 0), weights(1, 1e-9, 0)) == pytest.approx(5.729577951e-8)


def test_nothing_has_no_angle() -> None:
    start = weights(1, 2, 3)
    assert angle(displacement(start, start), displacement(start, weights(1, 2, 4))) is None


def test_distance_is_over_surviving_weights_alone() -> None:
    masks = {"w": torch.tensor([[True, False], [True, True]])}
    first = survivors({"w": torch.tensor([[1.0, 100.0], [0.0, 2.0]])}, masks)
    second = survivors({"w": torch.tensor([[4.0, -7.0], [4.0, 2.0]])}, masks)
    assert distance(first, second) == 5


def test_the_angular_distance_of_orthogonal_weights_is_one() -> None:
    assert angular_distance(weights(1, 0, 0), weights(0, 2, 0)) == pytest.approx(1)
    assert angular_distance(weights(1, 0, 0), weights(1, 1, 0)) == pytest.approx(0.5)
    assert angular_distance(weights(1, 2, 3), weights(2, 4, 6)) == pytest.approx(0, abs=1e-12)
    assert angular_distance(weights(1, 2, 3), weights(-1, -2, -3)) == pytest.approx(2)
    assert angular_distance(weights(0, 0, 0), weights(1, 2, 3)) is None


def test_weights_count_where_both_masks_keep_them() -> None:
    first, second = ({"w": torch.tensor(mask), "v": torch.tensor([True])} for mask in ([1, 1, 0, 1], [0, 1, 1, 1]))
    shared = shared_masks({name: mask.bool() for name, mask in first.items()}, {"w": second["w"].bool()})
    assert list(shared) == ["w"]
    assert shared["w"].tolist() == [False, True, False, True]
    one, other = ({"w": torch.tensor(values)} for values in ([9.0, 1, 9, 0], [-5.0, 0, -5, 3]))
    assert angular_distance(survivors(one, shared), survivors(other, shared)) == pytest.approx(1)
