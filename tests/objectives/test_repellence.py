"""Repellence: its formula, its gradient, and what it does to the angle between two solutions."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.objectives import Repellence
from robust_tickets.objectives.repellence import squared_cosine
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.tasks.classification import CrossEntropy
from tests.objectives.digits import digits, fresh_network, trained_network


def term(settings: Repellence, network: nn.Module, reference: nn.Module, batch: Batch) -> Tensor:
    """Return what is added to the task's loss."""
    running = settings.build(network, Teacher.copied(reference, reference))
    (loss,) = running.losses(network, batch, CrossEntropy(0), torch.Generator())
    return loss - F.cross_entropy(network(batch.inputs), batch.targets)


def test_the_cosine_is_over_surviving_weights_alone() -> None:
    weight = torch.tensor([[1.0, 0.0], [2.0, -1.0]])
    reference = torch.tensor([[3.0, 100.0], [1.0, 1.0]])
    # 3 + 2 - 1 = 4; lengths sqrt(6) and, without what is removed, sqrt(11).
    assert squared_cosine(weight, reference).item() == pytest.approx(16 / 66)
    assert squared_cosine(weight, -reference).item() == pytest.approx(16 / 66), "a line has no direction"
    assert squared_cosine(weight, 5 * weight).item() == pytest.approx(1)
    assert squared_cosine(torch.zeros(2, 2), reference).item() == 0
    assert squared_cosine(weight, torch.zeros(2, 2)).item() == 0


def test_the_gradient_is_that_of_finite_differences_and_of_hand() -> None:
    torch.manual_seed(0)
    weight, reference = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda w: squared_cosine(w, reference), weight)
    squared_cosine(weight, reference).backward()
    with torch.no_grad():
        cosine = (weight * reference).sum() / (weight.norm() * reference.norm())
        expected = 2 * cosine * (reference / (weight.norm() * reference.norm()) - cosine * weight / weight.norm() ** 2)
    assert weight.grad is not None
    assert torch.allclose(weight.grad, expected)


def test_a_layer_without_weights_has_a_gradient_of_zero() -> None:
    weight = torch.zeros(2, 2, requires_grad=True)
    squared_cosine(weight, torch.ones(2, 2)).backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.zeros(2, 2))


@pytest.mark.parametrize("strength", [2.0, -1.0])
def test_the_term_is_strength_times_the_mean_over_layers(strength: float) -> None:
    images, labels, _, _ = digits()
    network, reference = fresh_network(1), trained_network()
    mine = dict(network.named_parameters())
    cosines = [
        F.cosine_similarity(mine[name].flatten(), weight.flatten(), dim=0).item() ** 2
        for name, weight in reference.named_parameters()
        if weight.dim() > 1
    ]
    assert len(cosines) == 3, "two convolutions and a linear layer; biases and norms are free"
    found = term(Repellence(strength=strength), network, reference, Batch(images[:20], labels[:20]))
    assert found.item() == pytest.approx(strength * sum(cosines) / 3, abs=1e-5)


def mean_squared_cosine(network: nn.Module, reference: nn.Module) -> float:
    pairs = zip(network.parameters(), reference.parameters(), strict=True)
    found = [squared_cosine(one, other).item() for one, other in pairs if one.dim() > 1]
    return math.fsum(found) / len(found)


def test_training_is_repelled_by_2_and_attracted_by_minus_1_and_still_learns() -> None:
    images, labels, test, answers = digits()
    reference = trained_network()
    ends: dict[float, float] = {}
    start = fresh_network()
    before = mean_squared_cosine(start, reference)
    for strength in (2.0, -1.0):
        network = copy.deepcopy(start)
        running = Repellence(strength=strength).build(network, Teacher.copied(reference, reference))
        optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        for epoch in range(4):
            for chosen in torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch)).split(100):
                batch = Batch(images[chosen], labels[chosen])
                for loss in running.losses(network, batch, CrossEntropy(0), torch.Generator()):
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
        ends[strength] = mean_squared_cosine(network, reference)
        with torch.no_grad():
            assert network.eval()(test).argmax(1).eq(answers).float().mean().item() > 0.9
    assert ends[2.0] < 0.5 * before
    assert ends[-1.0] > max(before, 0.9)


def test_another_architecture_is_refused_and_so_is_no_strength() -> None:
    network, wide, other = fresh_network(), fresh_network(), nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    wide[7] = nn.Linear(512, 4)
    with pytest.raises(UserError, match=r"7\.weight is \[10, 512\] here, but runs/a has \[4, 512\]"):
        Repellence(reference="runs/a").build(network, Teacher.copied(wide, wide))
    with pytest.raises(UserError, match="source has no such layer; name a trained network of the same architecture"):
        Repellence().build(network, Teacher.copied(other, other))
    with pytest.raises(UserError, match="needs a network with convolutions"):
        Repellence().build(nn.BatchNorm2d(3), Teacher.copied(network, network))
    with pytest.raises(ValidationError, match="strength 0 does nothing"):
        Repellence(strength=0)


def test_it_says_what_it_does() -> None:
    assert Repellence(reference="runs/a").describe() == "standard, repelled (2) by runs/a"
    assert Repellence(strength=-1).describe() == "standard, attracted (-1) by source"
    assert Repellence(reference="runs/a").teaches_by == "runs/a"
    assert not Repellence().reads_teachers_logits
