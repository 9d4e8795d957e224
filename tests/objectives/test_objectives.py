import copy

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter, ValidationError

from robust_tickets.attacks import Threat
from robust_tickets.attacks.losses import cross_entropy
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import attack_mode
from robust_tickets.attacks.projection import uniform_in_ball
from robust_tickets.foundation.batch import Batch
from robust_tickets.objectives import FGSMRS, AnyObjective, Free, PGDTraining, Smoothing, Standard, Trades
from robust_tickets.tasks.classification import CrossEntropy
from tests.objectives.digits import digits, fresh_network, train, trained_network

ANY = TypeAdapter(AnyObjective)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels, _, _ = digits()
    return images[:count], labels[:count]


def run(objective, network, images, labels, seed=0):
    """Run one batch as the loop does; return the losses and the images of every pass in training mode."""
    seen = []
    hook = network.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].detach().clone()) if module.training else None
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for loss in objective.losses(network, Batch(images, labels), CrossEntropy(0), generator(seed)):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    hook.remove()
    return losses, seen


def robust_accuracy(network, threat: Threat) -> float:
    _, _, images, labels = digits()
    with attack_mode(network) as attacked:
        adversarial = pgd(attacked, images, labels, threat, generator())
        return attacked(adversarial).argmax(1).eq(labels).float().mean().item()


@pytest.mark.parametrize(
    "settings",
    [
        PGDTraining(threat=Threat(epsilon=0.15, steps=3)),
        FGSMRS(epsilon=0.15),
        Free(epsilon=0.15, replays=3),
        FGSMRS(norm="l2", epsilon=1.0),
        Trades(threat=Threat(epsilon=0.15, steps=3)),
    ],
)
def test_adversarial_training_makes_robust(settings):
    threat = Threat(epsilon=0.15, steps=10)
    assert robust_accuracy(trained_network(), threat) < 0.25
    assert robust_accuracy(train(settings, epochs=4), threat) > 0.45


@pytest.mark.parametrize("settings", [Standard(), PGDTraining(), FGSMRS(), Free(), Trades(), Smoothing()])
def test_network_stays_in_training_mode_and_chance_is_the_generators(settings):
    images, labels = batch()
    results = []
    for _ in range(2):
        network = fresh_network().train()
        losses, _ = run(settings.build(), network, images, labels)
        assert network.training
        assert all(parameter.requires_grad for parameter in network.parameters())
        results.append((losses, network.state_dict()))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(results[0][1][name], value) for name, value in results[1][1].items())


@pytest.mark.parametrize("settings", [PGDTraining(threat=Threat(epsilon=0.2, steps=5)), FGSMRS(epsilon=0.2)])
def test_attack_passes_stay_out_of_batch_norm_statistics(settings):
    images, labels = batch()
    network, alone = fresh_network().train(), fresh_network().train()
    _, (adversarial,) = run(settings.build(), network, images, labels)
    alone(adversarial)
    assert network[1].num_batches_tracked == 1
    assert torch.equal(network[1].running_mean, alone[1].running_mean)
    assert torch.equal(network[1].running_var, alone[1].running_var)


def test_pgd_trains_on_the_attack_of_the_same_generator():
    images, labels = batch()
    threat = Threat(epsilon=0.1, steps=3)
    network = copy.deepcopy(trained_network())
    with attack_mode(network) as attacked:
        expected = pgd(attacked, images, labels, threat, generator())
    _, (trained_on,) = run(PGDTraining(threat=threat).build(), network.train(), images, labels)
    assert torch.equal(trained_on, expected)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 1.0)])
def test_the_step_and_not_the_noise_sets_the_direction_of_fgsm_rs(norm, epsilon):
    images, labels = batch()
    images = images.clamp(0.3, 0.7)
    network, settings = copy.deepcopy(trained_network()), FGSMRS(norm=norm, epsilon=epsilon)
    start = (images + uniform_in_ball(images, settings, generator())).clamp(0, 1).requires_grad_()
    with attack_mode(network) as attacked:
        (gradient,) = torch.autograd.grad(cross_entropy(attacked(start), labels).sum(), start)
    _, (trained_on,) = run(settings.build(), network.train(), images, labels)
    delta = trained_on - images
    direction = gradient.sign() if norm == "linf" else gradient
    assert F.cosine_similarity(delta.flatten(1), direction.flatten(1)).mean() > 0.6
    assert F.cosine_similarity(delta.flatten(1), gradient.flatten(1)).min() > 0.2
    assert torch.linalg.vector_norm(delta.flatten(1), torch.inf if norm == "linf" else 2, 1).max() < epsilon + 1e-6


def test_trades_is_the_clean_loss_and_beta_times_the_divergence_around_it():
    """Zhang et al. 2019, eq. 5, with the paper's own words for the divergence."""
    images, labels = batch()
    threat = Threat(epsilon=0.1, steps=4)
    losses, points = {}, {}
    for beta in (1.0, 6.0):
        network = copy.deepcopy(trained_network()).train()
        (losses[beta],), points[beta] = run(Trades(threat=threat, beta=beta).build(), network, images, labels)
    clean, adversarial = points[6.0]
    assert torch.equal(clean, images)
    assert 0.05 < (adversarial - images).abs().max() <= 0.1 + 1e-6
    network = copy.deepcopy(trained_network()).train()
    with torch.no_grad():
        p, q = network(clean).softmax(1), network(adversarial).softmax(1)
        fitted = F.cross_entropy(p.log(), labels).item()
        divergence = (p * (p / q).log()).sum(1).mean().item()
    assert losses[6.0] == pytest.approx(fitted + 6 * divergence, rel=1e-4)
    assert losses[1.0] == pytest.approx(fitted + divergence, rel=1e-4)


def test_the_attack_of_trades_seeks_divergence_and_not_errors():
    images, _ = batch()
    network = copy.deepcopy(trained_network())
    objective = Trades(threat=Threat(epsilon=0.1, steps=5))
    with torch.no_grad():
        own = network.eval()(images).argmax(1)
    wrong = (own + 1) % 10
    seen = [run(objective, copy.deepcopy(network).train(), images, labels)[1][1] for labels in (own, wrong)]
    assert torch.equal(*seen), "the attack does not look at labels"
    with torch.no_grad():
        noisy = (images + uniform_in_ball(images, objective.threat, generator())).clamp(0, 1)
        moved, shaken = (network(points).argmax(1).eq(own).float().mean() for points in (seen[0], noisy))
    assert moved < shaken - 0.1


def test_an_objective_names_the_single_step_it_relies_on():
    assert FGSMRS(epsilon=0.1, step_size=0.2).single_step == Threat(epsilon=0.1, steps=1, step_size=0.2)
    assert Free(epsilon=0.1).single_step == Threat(epsilon=0.1, steps=1, step_size=0.1)
    for kind in (PGDTraining, Trades):
        assert kind(threat=Threat(steps=2)).single_step is None
        assert kind(threat=Threat(steps=1)).single_step == Threat(steps=1)
    assert Standard().single_step is None
    assert Smoothing().single_step is None


def test_free_with_one_replay_starts_as_standard_and_moves_by_the_gradients_sign():
    images, labels = batch()
    objective, network, standard = Free(epsilon=0.1, replays=1).build(), fresh_network(), fresh_network()
    images = images.clone().requires_grad_()
    loss = F.cross_entropy(standard(images), labels)
    (gradient,) = torch.autograd.grad(loss, images)
    losses, seen = run(objective, network, images.detach(), labels)
    assert losses == [pytest.approx(loss.item())]
    assert torch.equal(seen[0], images)
    # Also for pixels at 0 or 1, where the gradient through a clamp to the box would vanish.
    assert torch.equal(objective.state()["delta"], 0.1 * gradient.sign())


def test_free_replays_one_pass_a_step_and_carries_the_perturbation_on():
    images, labels = batch()
    objective, network = Free(epsilon=0.1, replays=3).build(), fresh_network()
    _, seen = run(objective, network, images, labels)
    assert len(seen) == 3
    carried = objective.state()["delta"].clone()
    _, seen = run(objective, network, 1 - images, labels)
    assert torch.equal(seen[0], (1 - images + carried).clamp(0, 1))


@pytest.mark.parametrize(("norm", "order"), [("linf", torch.inf), ("l2", 2)])
def test_free_stays_in_ball_and_box(norm, order):
    images, labels = batch()
    objective, network = Free(norm=norm, epsilon=0.4, replays=5).build(), fresh_network()
    _, seen = run(objective, network, images, labels)
    for points in seen:
        assert points.min() >= 0
        assert points.max() <= 1
        assert torch.linalg.vector_norm((points - images).flatten(1), order, 1).max() <= 0.4 + 1e-6
    assert torch.linalg.vector_norm(objective.state()["delta"].flatten(1), order, 1).max() <= 0.4 + 1e-6


def test_a_short_batch_moves_only_its_rows_of_the_perturbation():
    images, labels = batch()
    objective, network = Free(epsilon=0.1).build(), fresh_network()
    run(objective, network, images, labels)
    before = objective.state()["delta"].clone()
    run(objective, network, images[:10], labels[:10])
    after = objective.state()["delta"]
    assert torch.equal(after[10:], before[10:])
    assert not torch.equal(after[:10], before[:10])


def test_parts_of_an_accumulated_batch_do_not_disturb_each_other_under_free():
    images, labels = batch()
    parts = list(zip(images.split(32), labels.split(32), strict=True))

    def points_of(together) -> list[torch.Tensor]:
        """Run parts side by side without stepping the weights; return the points of every pass."""
        network, seen = fresh_network(), []
        network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
        objective = Free(epsilon=0.1, replays=3).build()
        iterators = [objective.losses(network, Batch(*part), CrossEntropy(0), generator()) for part in together]
        for losses in zip(*iterators, strict=True):
            sum(losses).backward()
        return seen

    interleaved, first, second = points_of(parts), points_of(parts[:1]), points_of(parts[1:])
    assert all(torch.allclose(a, b) for a, b in zip(interleaved[::2], first, strict=True))
    assert all(torch.allclose(a, b) for a, b in zip(interleaved[1::2], second, strict=True))


def test_free_resumes_from_its_state():
    images, labels = batch()
    objective, network = Free(epsilon=0.1).build(), fresh_network()
    run(objective, network, images, labels)
    resumed, copied = Free(epsilon=0.1).build(), copy.deepcopy(network)
    resumed.load_state(objective.state())
    assert run(objective, network, images, labels)[0] == run(resumed, copied, images, labels)[0]


def test_an_objective_names_the_ball_it_is_robust_in():
    assert Standard().ball is None
    assert Smoothing().ball is None
    for settings in [
        *(kind(threat=Threat(norm="l2", epsilon=0.5)) for kind in (PGDTraining, Trades)),
        *(k(norm="l2", epsilon=0.5) for k in (FGSMRS, Free)),
    ]:
        assert settings.is_adversarial
        assert settings.ball is not None
        assert settings.ball.ball_name == "L2 0.5"


def test_only_free_keeps_state():
    for settings in [Standard(), PGDTraining(), FGSMRS(), Trades(), Smoothing()]:
        assert settings.build().state() == {}
        with pytest.raises(ValueError, match="keeps no state"):
            settings.build().load_state({"delta": torch.zeros(1)})


def test_smoothing_adds_noise_of_its_sigma_and_leaves_the_box():
    images, labels = batch()
    _, (noisy,) = run(Smoothing(sigma=0.5).build(), fresh_network(), images, labels)
    assert (noisy - images).std().item() == pytest.approx(0.5, rel=0.05)
    assert noisy.min() < 0
    assert noisy.max() > 1


def test_an_objectives_own_ball_is_held_to_the_box():
    with pytest.raises(ValidationError, match=r"\[0,1\] units"):
        ANY.validate_python({"kind": "fgsm-rs", "epsilon": 2})


def test_every_objective_survives_a_recipe():
    for kind in ["standard", "pgd", "fgsm-rs", "free", "trades", "smoothing", "distillation", "repellence"]:
        settings = ANY.validate_python({"kind": kind})
        assert ANY.validate_json(settings.model_dump_json()) == settings


def test_objectives_say_what_they_are():
    said = ANY.validate_python({"kind": "pgd", "threat": {"steps": 3, "epsilon": "4/255"}}).describe()
    assert said == "PGD-3 in L-inf 4/255"
    assert Free(norm="l2", epsilon=1).describe() == "free-4 in L2 1"
