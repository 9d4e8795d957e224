"""Accuracy against epsilon: what falls stays fallen, 0 is the images as they are, impossible balls are refused."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.measures.robust_accuracy import withstanding_each
from robust_tickets.measures.robustness_curve import RobustnessCurve
from tests.measures.examinees import examinee, held_out_digits
from tests.objectives.digits import trained_network


def figures(curve: RobustnessCurve, count: int = 100, seed: int = 0) -> dict[str, float]:
    with evaluation_mode(trained_network(), "cpu") as predict:
        return curve.figures(examinee(predict, held_out_digits(count), seed=seed))


def test_accuracy_falls_with_epsilon_from_clean_to_nothing() -> None:
    curve = RobustnessCurve(epsilons=(0.3, 0, 0.1, 0.05), steps=10)
    found = figures(curve)
    assert figures(curve) == found
    assert found.pop("gradient/vanished") == 0
    assert list(found) == ["robust/linf/0", "robust/linf/0.05", "robust/linf/0.1", "robust/linf/0.3"]
    values = list(found.values())
    assert values == sorted(values, reverse=True)
    images, labels = held_out_digits(100)
    with evaluation_mode(trained_network(), "cpu") as predict:
        assert values[0] == pytest.approx((predict(images).argmax(1) == labels).float().mean().item())
    assert values[0] > 0.9
    assert values[-1] < 0.1


def test_every_point_of_the_curve_is_that_of_a_curve_up_to_there() -> None:
    """What larger balls are asked for changes nothing at smaller ones."""
    whole = figures(RobustnessCurve(epsilons=(0.05, 0.1), norm="l2", steps=3))
    alone = figures(RobustnessCurve(epsilons=(0.05,), norm="l2", steps=3))
    assert alone["robust/l2/0.05"] == whole["robust/l2/0.05"]


def test_an_image_that_falls_in_a_smaller_ball_is_not_attacked_in_a_larger_one() -> None:
    images, labels = held_out_digits(50)
    met: list[int] = []

    def wreck(images: Tensor, labels: Tensor) -> Tensor:
        met.append(len(images))
        adversarial = images.clone()
        adversarial[: len(images) // 2] = 0.5
        return adversarial

    with evaluation_mode(trained_network(), "cpu") as predict:
        clean, first, second = withstanding_each(predict, [(images, labels)], [wreck, wreck])
    assert met == [int(clean.sum()), int(first.sum())]
    assert not (first & ~clean).any()
    assert not (second & ~first).any()
    assert second.sum() < first.sum() < clean.sum()


def test_at_most_so_many_images_are_attacked() -> None:
    seen: list[int] = []

    def predict(images: Tensor) -> Tensor:
        seen.append(len(images))
        return torch.zeros(len(images), 10)

    RobustnessCurve(epsilons=(0,), limit=20).figures(examinee(predict, held_out_digits(100)))
    assert sum(seen) == 20


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilons": [8]}, "8/255"),
        ({"epsilons": [-0.1]}, "0 or more"),
        ({"epsilons": [0.1, 0.1]}, "twice"),
        ({"epsilons": []}, "at least 1"),
    ],
)
def test_balls_that_are_none_are_refused(values: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RobustnessCurve.model_validate(values)


def test_ratios_and_norms_are_written_as_elsewhere() -> None:
    curve = RobustnessCurve.model_validate({"norm": "l2", "epsilons": ["1/2", 3]})
    assert [threat.epsilon for threat in curve.threats()] == [0.5, 3]
    assert curve.describe() == "PGD-20 in L2 3 and 1 smaller"
