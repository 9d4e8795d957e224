import numpy as np
import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.domain_gap import covariance_factor, domain_gap


def features(count: int, dimensions: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=random)
    return scale * torch.randn(count, dimensions, generator=random) @ mixing + shift


def by_eigenvalues(first: torch.Tensor, second: torch.Tensor) -> float:
    a, b = first.double().numpy(), second.double().numpy()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    a, b = np.cov(a.T), np.cov(b.T)
    return float(means + np.trace(a) + np.trace(b) - 2 * np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum())


def test_it_is_the_formula_with_the_root_of_a_matrix():
    first, second = features(300, 12, 0), features(200, 12, 1, scale=1.5, shift=0.4)
    found = domain_gap(first, second)
    assert found.distance == pytest.approx(by_eigenvalues(first, second), rel=1e-9)
    assert found.distance == pytest.approx(found.mean_term + found.covariance_term)
    assert not found.is_rank_deficient
    assert domain_gap(second, first).distance == pytest.approx(found.distance)


def test_equal_sets_have_no_gap_whatever_their_rank():
    for count in (5, 200):
        same = features(count, 20, 0)
        assert domain_gap(same, same.flip(0)).distance == pytest.approx(0, abs=1e-9)


def test_one_dimension_by_hand():
    # Means 1 and 4, standard deviations 1 and 3: (1 - 4)^2 + (1 - 3)^2.
    first, second = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[1.0], [4.0], [7.0]])
    found = domain_gap(first, second)
    assert (found.mean_term, found.covariance_term) == (pytest.approx(9), pytest.approx(4))


def test_a_shift_counts_its_square_and_a_rotation_nothing_in_the_mean():
    centred = features(500, 6, 0)
    centred = centred - centred.mean(0)
    found = domain_gap(centred, centred + 0.5)
    assert found.distance == pytest.approx(6 * 0.25, rel=1e-5)
    assert found.covariance_term == pytest.approx(0, abs=1e-4)
    # diag(4, 1) against diag(1, 4): 2 * (2 - 1)^2.
    axes = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    turned = domain_gap(axes, axes.flip(1))
    assert turned.covariance_term == pytest.approx(2 * (2 - 1) ** 2 * 2 / 3)


def test_constant_features_and_fewer_images_than_features():
    few, many = features(8, 30, 0), features(100, 30, 1)
    few[:, 3] = many[:, 3] = 1.0
    found = domain_gap(few, many)
    assert found.is_rank_deficient
    assert "do not have full rank" in found.sentence()
    reference = by_eigenvalues(few, many)
    assert found.distance == pytest.approx(reference, rel=1e-3)
    factor = covariance_factor(few.double())
    assert factor.shape == (8, 30)
    assert torch.allclose(factor.T @ factor, few.double().T.cov())


def test_large_features_lose_no_digits():
    first, second = features(400, 10, 0), features(400, 10, 1)
    small = domain_gap(first, second).distance
    large = domain_gap(first.double() * 1e4 + 1e6, second.double() * 1e4 + 1e6).distance
    assert large == pytest.approx(small * 1e8, rel=1e-6)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(UserError, match="source has 3 features, target 4"):
        domain_gap(torch.rand(5, 3), torch.rand(5, 4))
    with pytest.raises(UserError, match=r"target features have shape \[1, 3\]"):
        domain_gap(torch.rand(5, 3), torch.rand(1, 3))
    with pytest.raises(UserError, match="source features contain NaN"):
        domain_gap(torch.full((5, 3), float("nan")), torch.rand(5, 3))
