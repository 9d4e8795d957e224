import pytest
import torch

from robust_tickets.measures.nearest_neighbours import NearestNeighbours, neighbours_right


def test_images_of_two_heaps_are_told_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    centres = torch.tensor([[3.0, 0, 0], [0, 3.0, 0]])
    features = centres[labels] + 0.3 * torch.randn(60, 3, generator=generator)
    assert neighbours_right(features, labels).all()


def test_noise_is_at_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(3000, 8, generator=generator), torch.arange(3000) % 5
    assert neighbours_right(features, labels).double().mean().item() == pytest.approx(0.2, abs=0.04)


def test_an_image_has_no_vote_on_itself() -> None:
    """Each of two classes has one image far from all others: its only near neighbour would be itself."""
    features = torch.tensor([[1.0, 0], [0.99, 0.1], [0.98, 0.15], [-1.0, 0.01]])
    assert neighbours_right(features, torch.tensor([0, 0, 0, 1])).tolist() == [True, True, True, False]


def test_nearer_neighbours_have_more_weight() -> None:
    """One neighbour of the own class at cosine 0.99 outvotes two of another at 0.8, whose votes weigh e^(-2.7) each."""
    near, far = [0.99, (1 - 0.99**2) ** 0.5], [0.8, -0.6]
    features = torch.tensor([[1.0, 0], near, far, far])
    assert neighbours_right(features, torch.tensor([0, 0, 1, 1]))[0]


def test_the_metric_measures_a_network_on_batches() -> None:
    generator = torch.Generator().manual_seed(1)
    images, labels = torch.rand(50, 1, 2, 2, generator=generator), torch.arange(50) % 2
    images[labels == 1, :, 0] += 3
    images[labels == 0, :, 1] += 3
    metric = NearestNeighbours()
    (right,) = metric.measured(lambda batch: batch.flatten(1), [(images[:30], labels[:30]), (images[30:], labels[30:])])
    assert metric.value(right) == 1.0
    assert torch.equal(metric.unpacked(metric.packed(right)), right)
