"""Caveats: few images, few seeds, no spread, a trivial dense network, attacks that saw nothing or disagree."""

import pytest
import torch

from robust_tickets.attacks import GradientCounts, Threat
from robust_tickets.measures.caveats import (
    APART,
    disagreement,
    gradient_caveats,
    part_caveats,
    sample_caveats,
    worst_caveats,
)
from robust_tickets.measures.chance import crossed
from robust_tickets.measures.evaluation import Evaluation, common_images
from robust_tickets.measures.matching import decide
from robust_tickets.measures.mean_average_precision import AveragePrecision


def kinds(ticket: list[float], dense: list[float], examples: int, margin: float = 0.01):
    found = sample_caveats(decide(ticket, dense, margin), "standard", "test", examples, None)
    return [caveat.kind for caveat in found]


def test_forty_images_and_two_equal_seeds_are_no_ground_for_confidence() -> None:
    right = torch.tensor([True] * 36 + [False] * 4)
    decision = decide([0.9, 0.9], [0.9, 0.9], paired=crossed([right] * 2, [right] * 2))
    assert decision.verdict == "cannot tell"
    assert decision.examples_needed == 330
    found = sample_caveats(decision, "standard", "test", 40, None)
    assert [caveat.kind for caveat in found] == ["few-examples", "two-seeds"]
    assert found[0].text == (
        "Only 40 test images: accuracy moves in steps of 2.5 points, more than the margin of 1. Use at least 100, or a "
        "wider margin."
    )


def test_enough_images_and_seeds_need_no_caveat() -> None:
    assert kinds([0.9, 0.91, 0.9], [0.9, 0.9, 0.91], 100) == []


@pytest.mark.parametrize(("examples", "margin", "few"), [(99, 0.01, True), (100, 0.01, False), (40, 0.025, False)])
def test_images_are_few_where_a_step_is_larger_than_the_margin(examples: int, margin: float, few: bool) -> None:
    found = kinds([0.9, 0.91, 0.9], [0.9, 0.9, 0.91], examples, margin)
    assert found == (["few-examples"] if few else [])
    assert kinds([0.9, 0.91, 0.9], [0.9, 0.9, 0.91], 10, margin=0) == []


@pytest.mark.parametrize(("dense", "nothing"), [(0.0, True), (0.001, False)])
def test_dense_at_the_worst_value_of_its_metric_has_learned_nothing(dense: float, nothing: bool) -> None:
    decision = decide([dense] * 3, [dense] * 3)
    found = worst_caveats(decision, AveragePrecision(("cat",)))
    assert [caveat.kind for caveat in found] == (["nothing-learned"] if nothing else [])
    if nothing:
        assert found[0].text.startswith("Dense has 0.0 % mAP, the worst possible value: it has learned nothing")


@pytest.mark.parametrize(("majority", "trivial"), [(700, True), (600, True), (580, True), (540, False)])
def test_dense_has_to_beat_the_most_frequent_class_by_its_interval(majority: int, trivial: bool) -> None:
    chance = torch.Generator().manual_seed(0)
    dense = [torch.arange(1000)[torch.randperm(1000, generator=chance)] < 600 for _ in range(3)]
    most_frequent = torch.arange(1000) < majority
    decision = decide([0.6, 0.61, 0.6], [0.6, 0.6, 0.6])
    found = sample_caveats(
        decision, "standard", "test", 1000, crossed(dense, [most_frequent] * 3), majority=majority / 1000
    )
    assert [caveat.kind for caveat in found] == (["majority-class"] if trivial else [])
    if trivial:
        assert f"60.0 % against {majority / 10:.1f} % of the test images, difference [" in found[0].text


@pytest.mark.parametrize(
    ("validation", "examples", "differs"),
    [(0.994, 3000, True), (0.917, 3000, False), (0.93, 300, False), (0.80, 3000, False), (0.994, 0, False)],
)
def test_validation_images_that_dense_knows_are_told(validation: float, examples: int, differs: bool) -> None:
    """The published ResNet-20 is right on 99.4 % of what is held out of CIFAR-10's training part, on 91.7 % of test."""
    found = part_caveats(validation, examples, 0.917, 10_000)
    assert [caveat.kind for caveat in found] == (["validation-differs"] if differs else [])


def test_one_seed_decides_nothing_and_has_no_interval_to_doubt() -> None:
    assert kinds([0.9], [0.9], 1000) == []


def test_without_a_gradient_accuracy_is_no_evidence() -> None:
    blind = GradientCounts(attacked=200, at_start=200, throughout=200, retried=200, blind=200, probed=100, found=45)
    (caveat,) = gradient_caveats("PGD-20 in L-inf 8/255", {"ticket": blind, "dense": GradientCounts(attacked=200)})
    assert (caveat.kind, caveat.measure) == ("no-gradient", "robust")
    assert "no gradient on 100 % of the images it attacks in the ticket network" in caveat.text
    assert "no evidence of robustness" in caveat.text
    assert "fooled 45 of 100" in caveat.text


def test_a_gradient_that_came_back_without_the_scale_is_told() -> None:
    seen = GradientCounts(attacked=200, at_start=184, throughout=184, retried=184, recovered=80)
    (caveat,) = gradient_caveats("PGD-20 in L-inf 8/255", {"dense": seen})
    assert caveat.kind == "vanished-gradient"
    assert "vanishes on 92 %" in caveat.text
    assert "184 were attacked again" in caveat.text
    assert "80 fell" in caveat.text


def test_a_healthy_attack_needs_no_caveat() -> None:
    square = None
    few = GradientCounts(attacked=1000, at_start=5, retried=5, recovered=1)
    ensemble = GradientCounts(attacked=100, probed=40, found=2)
    assert gradient_caveats("an attack", {"ticket": few, "dense": ensemble, "other": square}) == []
    (caveat,) = gradient_caveats("AutoAttack", {"dense": GradientCounts(attacked=100, probed=40, found=20)})
    assert caveat.kind == "black-box-stronger"


def test_attacks_disagree_beyond_the_tolerance() -> None:
    assert disagreement("PGD", 0.5, {"Square": 0.5 - APART + 0.001, "APGD": 0.6}, "dense") == []
    (caveat,) = disagreement("PGD", 0.92, {"Square": 0.7, "APGD-DLR": 0.5}, "dense")
    assert "PGD leaves 92.0 %, APGD-DLR 50.0 % of the same images" in caveat.text


def test_attacks_are_compared_on_the_images_that_both_met() -> None:
    labels = [0] * 6 + [1] * 6
    ball = Threat(epsilon=0.1)
    whole, six, four = (Evaluation(threat=ball, limit=limit) for limit in (None, 6, 4))
    assert common_images(whole, four, labels) == [0, 1, 6, 7]
    # Of six images, the first three of each class.
    assert common_images(six, four, labels) == [0, 1, 3, 4]
    assert common_images(four, six, labels) is None
    assert common_images(whole, Evaluation(threat=Threat(epsilon=0.2)), labels) is None
    assert common_images(whole, whole, labels) == list(range(12))
