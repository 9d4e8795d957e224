from statistics import NormalDist

import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from robust_tickets.measures.certified import Certified, lower_bound
from tests.measures.examinees import examinee

NORMAL = torch.tensor([3.0, -4.0, 12.0, 0.0]) / 13
"""Of a separating plane in four pixels; of length 1."""


def half_space(images: Tensor) -> Tensor:
    """A linear classifier, whose smoothed class is its class, and the radius the distance to the plane."""
    side = images.flatten(1) @ NORMAL
    return torch.stack([-side, side], 1)


def at_distance(distances: Tensor) -> tuple[Tensor, Tensor]:
    return (distances[:, None] * NORMAL).reshape(-1, 1, 2, 2), (distances > 0).long()


def test_the_radius_never_exceeds_the_true_one_and_approaches_it():
    distances = torch.tensor([-0.6, -0.4, -0.25, -0.1, 0.1, 0.25, 0.4, 0.6])
    images, labels = at_distance(distances)
    measure = Certified(sigma=0.25, samples=20_000, batch=5_000)
    for number, (image, label, distance) in enumerate(zip(images, labels, distances.abs().tolist(), strict=True)):
        predicted, radius = measure.certify(half_space, image, (0, number))
        assert predicted == label
        assert 0.93 * distance - 0.01 < radius <= distance


def test_no_radius_is_certified_above_what_the_samples_allow():
    image, _ = at_distance(torch.tensor([50.0]))
    for samples, largest in ((1_000, 2.5), (100, 1.5)):
        _, radius = Certified(sigma=0.5, samples=samples).certify(half_space, image[0], (0, 0))
        assert radius == pytest.approx(0.5 * NormalDist().inv_cdf(0.001 ** (1 / samples)))
        assert radius == pytest.approx(0.5 * largest, abs=0.06)


def test_figures_are_fractions_right_and_certified_at_each_radius():
    images, labels = at_distance(torch.tensor([-3.0, -0.3, 0.3, 3.0, 3.0]))
    labels[4] = 0
    measure = Certified(sigma=0.25, radii=(0, 0.25, 0.5, 9), samples=2_000)
    found = measure.figures(examinee(half_space, (images, labels)))
    assert found == {
        "certified/0": 0.8,
        "certified/0.25": 0.8,
        "certified/0.5": 0.4,
        "certified/9": 0.0,
        "certified/abstain": 0.0,
    }


def test_on_the_plane_it_abstains():
    images, labels = at_distance(torch.zeros(6))
    found = Certified(samples=500).figures(examinee(half_space, (images, labels)))
    assert found["certified/abstain"] == 1.0
    assert found["certified/0"] == 0.0


def test_the_result_is_the_seeds_alone():
    images, labels = at_distance(torch.linspace(-0.3, 0.3, 12))

    def radii(seed: int, batch: int) -> list[tuple[int, float]]:
        measure = Certified(samples=400, batch=batch)
        return [measure.certify(half_space, image, (seed, number)) for number, image in enumerate(images)]

    assert radii(0, 7) == radii(0, 400)
    assert radii(0, 7) != radii(1, 7)
    figures = [
        Certified(samples=400, batch=copies).figures(examinee(half_space, (images, labels), batch_size=size))
        for copies, size in ((7, 5), (400, 12))
    ]
    assert figures[0] == figures[1]


def test_the_bound_is_that_of_the_binomial():
    for hits, total, alpha in ((900, 1000, 0.001), (1, 10, 0.05), (1000, 1000, 0.01)):
        bound = lower_bound(hits, total, alpha)
        assert binom.sf(hits - 1, total, bound) == pytest.approx(alpha)
    assert lower_bound(0, 100, 0.05) == 0.0
