import copy

import foolbox
import pytest
import torch
from torch import nn

from robust_tickets.attacks import Ball, Threat
from robust_tickets.attacks.losses import cross_entropy
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import attack_mode
from robust_tickets.attacks.projection import normalise, uniform_in_ball
from tests.objectives.digits import digits, trained_network

BALLS = [{"norm": "linf", "epsilon": 0.15}, {"norm": "l2", "epsilon": 1.0}]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lengths(delta: torch.Tensor, norm: str) -> torch.Tensor:
    return torch.linalg.vector_norm(delta.flatten(1), ord=torch.inf if norm == "linf" else 2, dim=1)


@pytest.mark.parametrize("ball", BALLS)
def test_stays_in_ball_and_box_and_fools(ball):
    _, _, images, labels = digits()
    with attack_mode(trained_network()) as network:
        adversarial = pgd(network, images, labels, Threat(steps=10, **ball), generator())
        natural, attacked = (network(x).argmax(1).eq(labels).float().mean() for x in (images, adversarial))
    assert lengths(adversarial - images, ball["norm"]).max() <= ball["epsilon"] + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert natural > 0.9
    assert attacked < 0.5


@pytest.mark.parametrize("ball", BALLS)
def test_loss_does_not_fall_with_steps(ball):
    _, _, images, labels = digits()
    means = []
    with attack_mode(trained_network()) as network:
        for steps in [1, 2, 4, 8, 16]:
            threat = Threat(steps=steps, step_size=ball["epsilon"] / 4, **ball)
            adversarial = pgd(network, images, labels, threat, generator())
            means.append(cross_entropy(network(adversarial), labels).mean().item())
    assert means == sorted(means)
    assert means[-1] > 2 * means[0]


@pytest.mark.parametrize("ball", BALLS)
def test_same_points_as_foolbox(ball):
    _, _, images, labels = digits()
    images, labels = images[:100], labels[:100]
    threat = Threat(steps=7, step_size=ball["epsilon"] / 3, **ball)
    start = (images + uniform_in_ball(images, threat, generator())).clamp(0, 1)
    kind = foolbox.attacks.LinfPGD if ball["norm"] == "linf" else foolbox.attacks.L2PGD

    class SameStart(kind):
        def get_random_start(self, x0, epsilon):
            return foolbox.models.base.ep.astensor(start)

    reference = SameStart(abs_stepsize=threat.step_length, steps=7, random_start=True)
    with attack_mode(trained_network()) as network:
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        _, expected, _ = reference(model, images, labels, epsilons=threat.epsilon)
        adversarial = pgd(network, images, labels, threat, generator())
    # The sign of a gradient that is zero up to rounding may differ between the two: hence the fraction.
    close = (adversarial - expected).abs() < 1e-5
    assert close.float().mean() > 0.999


@pytest.mark.parametrize("ball", BALLS)
def test_leaves_network_untouched(ball):
    _, _, images, labels = digits()
    network = copy.deepcopy(trained_network())
    network.train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    network[3].weight.grad = torch.ones_like(network[3].weight)
    before = copy.deepcopy(network.state_dict())
    with attack_mode(network) as attacked:
        assert not any(parameter.requires_grad for parameter in attacked.parameters())
        pgd(attacked, images, labels, Threat(steps=3, **ball), generator())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [module.training for module in network] == [True, False, True, True, True, True, True, True]
    assert [name for name, p in network.named_parameters() if not p.requires_grad] == ["0.weight"]
    assert network[3].weight.grad.eq(1).all()
    assert network[7].weight.grad is None


def test_network_is_restored_when_the_attack_fails():
    network = copy.deepcopy(trained_network()).train()
    with pytest.raises(RuntimeError), attack_mode(network) as attacked:
        pgd(attacked, torch.rand(2, 3, 8, 8), torch.zeros(2, dtype=torch.long), Threat(), generator())
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("ball", BALLS)
def test_one_seed_gives_one_result(ball):
    _, _, images, labels = digits()
    with attack_mode(trained_network()) as network:
        first, again, other = (
            pgd(network, images[:50], labels[:50], Threat(steps=2, **ball), generator(seed)) for seed in (1, 1, 2)
        )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_works_where_gradients_are_switched_off():
    _, _, images, labels = digits()
    with attack_mode(trained_network()) as network, torch.no_grad():
        adversarial = pgd(network, images[:50], labels[:50], Threat(epsilon=0.15), generator())
        assert network(adversarial).argmax(1).eq(labels[:50]).float().mean() < 0.5


@pytest.mark.parametrize("ball", BALLS)
def test_flat_loss_gives_no_nan(ball):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.zeros_(network[1].weight)
    images = torch.rand(5, 1, 8, 8)
    threat = Threat(random_start=False, **ball)
    adversarial = pgd(network, images, torch.arange(5), threat, generator())
    assert torch.allclose(adversarial, images, atol=1e-6)


def test_gradients_whose_squares_underflow_still_point_somewhere():
    gradient = torch.randn(4, 3, 8, 8)
    assert torch.allclose(normalise(1e-30 * gradient), normalise(gradient), atol=1e-5)
    assert lengths(normalise(1e-30 * gradient), "l2") == pytest.approx([1.0] * 4, abs=1e-5)


@pytest.mark.parametrize("ball", BALLS)
def test_probabilities_as_labels(ball):
    _, _, images, labels = digits()
    images, labels = images[:50], labels[:50]
    threat = Threat(steps=3, restarts=2, **ball)
    with attack_mode(trained_network()) as network:
        from_classes = pgd(network, images, labels, threat, generator())
        one_hot = nn.functional.one_hot(labels, 10).float()
        from_probabilities = pgd(network, images, one_hot, threat, generator())
    assert torch.allclose(from_classes, from_probabilities, atol=1e-5)


@pytest.mark.parametrize("ball", BALLS)
def test_under_autocast_points_stay_fp32_and_fool(ball):
    _, _, images, labels = digits()
    with attack_mode(trained_network()) as network:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            adversarial = pgd(network, images, labels, Threat(**ball), generator())
        attacked = network(adversarial).argmax(1).eq(labels).float().mean()
    assert adversarial.dtype == torch.float32
    assert lengths(adversarial - images, ball["norm"]).max() <= ball["epsilon"] + 1e-6
    assert attacked < 0.5


@pytest.mark.parametrize("ball", [{"norm": "linf", "epsilon": 0.06}, {"norm": "l2", "epsilon": 0.4}])
def test_restarts_only_ever_fool_more(ball):
    _, _, images, labels = digits()
    with attack_mode(trained_network()) as network:
        points = [
            pgd(network, images, labels, Threat(steps=2, restarts=restarts, **ball), generator()) for restarts in (1, 8)
        ]
        right = [network(x).argmax(1).eq(labels) for x in points]
        losses = [cross_entropy(network(x), labels) for x in points]
    assert not (right[1] & ~right[0]).any()
    assert right[1].sum() < right[0].sum()
    # Where no restart fools, the kept point has the highest loss.
    assert (losses[1] >= losses[0] - 1e-5)[right[1]].all()


def test_start_is_uniform_in_the_box_of_linf():
    start = uniform_in_ball(torch.zeros(2000, 1, 4, 4), Ball(epsilon=0.5), generator())
    assert start.abs().max() <= 0.5
    assert start.mean().item() == pytest.approx(0, abs=0.01)
    assert start.var().item() == pytest.approx(0.5**2 / 3, rel=0.02)


def test_start_is_uniform_by_volume_in_the_ball_of_l2():
    start = uniform_in_ball(torch.zeros(4000, 1, 2, 3), Ball(norm="l2", epsilon=2.0), generator())
    share = (lengths(start, "l2") / 2.0) ** 6
    # The share of the ball's volume within the radius is uniform on [0, 1].
    quartiles = torch.quantile(share, torch.tensor([0.25, 0.5, 0.75]))
    assert quartiles.tolist() == pytest.approx([0.25, 0.5, 0.75], abs=0.03)
    assert share.max() <= 1 + 1e-5
    assert normalise(start).mean(0).abs().max() < 0.03
