"""Bernoulli gates: the formulas of arXiv 2406.05288 and 1611.01144, their noise, and what is drawn in the end."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as Distribution
from torch.distributions import kl_divergence

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import Bernoulli, Parametrised
from robust_tickets.pruning.parametrisations.sampled_network import SampledNetwork
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, Gradual, Iterative, OneShot
from tests.pruning.small_network import SmallNetwork, small_network

LEARNED = Selection.model_validate({"score": "learned"})
EVERYTHING = tuple(name for name, _ in small_network().named_parameters())
MANY = 40_000
SMOOTH = Bernoulli(temperature=1)


def built(settings: Bernoulli | None = None, sparsity: float = 0.5, seed: int = 0) -> tuple[SmallNetwork, Parametrised]:
    """Return a small network of which every parameter has a gate: biases, norms and the head too."""
    network = small_network()
    parametrised = (settings or Bernoulli()).build(
        network,
        network,
        EVERYTHING,
        selection=LEARNED,
        sparsity=sparsity,
        is_head=lambda name: name.startswith("head."),
        seed=seed,
    )
    return network, parametrised


def linear(logits: Tensor, settings: Bernoulli, sparsity: float = 0.5, seed: int = 0) -> Parametrised:
    """Return a layer of one output and weights of 1 whose gates have these logits, in float64."""
    body = nn.Linear(len(logits), 1, bias=False, dtype=torch.float64)
    parametrised = settings.build(body, body, ("weight",), selection=LEARNED, sparsity=sparsity, seed=seed)
    with torch.no_grad():
        body.weight.fill_(1)
        parametrised.learned["weight"].copy_(logits[None])
    return parametrised


def sampled(parametrised: Parametrised) -> SampledNetwork:
    assert isinstance(parametrised.module, SampledNetwork)
    return parametrised.module


def at(parametrised: Parametrised, step: int) -> Parametrised:
    assert parametrised.before_step is not None
    parametrised.before_step(Moment(step, 10, 0.0))
    return parametrised


def gates(logit: float, temperature: float, step: int = 0) -> Tensor:
    """Return many gates of one logit."""
    parametrised = linear(torch.full((MANY,), logit), Bernoulli(temperature=temperature))
    return sampled(at(parametrised, step)).gates()["weight"].detach().flatten()


def penalty(parametrised: Parametrised) -> Tensor:
    assert parametrised.penalty is not None
    return parametrised.penalty()


@pytest.mark.parametrize(("logit", "temperature"), list(product([-1.5, 0.0, 0.7], [0.2, 1.0])))
def test_gates_are_the_gumbel_softmax_over_keeping_and_removing(logit: float, temperature: float) -> None:
    """Two samples of 40,000 differ by more than this in one of a thousand trials (Kolmogorov and Smirnov)."""
    ours = gates(logit, temperature).sort().values
    with torch.random.fork_rng():
        torch.manual_seed(1)
        both = torch.tensor([logit, 0.0], dtype=torch.float64).expand(MANY, 2)
        theirs = nn.functional.gumbel_softmax(both, tau=temperature)[:, 0].sort().values
    shares = [torch.searchsorted(one, ours, right=True) / MANY for one in (ours, theirs)]
    assert (shares[0] - shares[1]).abs().max().item() < 1.95 * math.sqrt(2 / MANY)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
@pytest.mark.parametrize("logit", [-2.0, 0.5])
def test_a_gate_is_more_open_than_shut_with_its_own_probability(logit: float, temperature: float) -> None:
    expected = 1 / (1 + math.exp(-logit))
    found = (gates(logit, temperature) > 0.5).double().mean().item()
    assert found == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / MANY))


def test_gates_come_closer_to_open_and_shut_as_the_temperature_falls() -> None:
    undecided = [((gates(0.0, t) > 0.1) & (gates(0.0, t) < 0.9)).double().mean().item() for t in (1.0, 0.2, 0.01)]
    assert undecided[0] > undecided[1] > undecided[2]
    # Between a tenth and nine tenths lies the u whose logit is within T log 9.
    for found, t in zip(undecided, (1.0, 0.2, 0.01), strict=True):
        assert found == pytest.approx(2 / (1 + 9 ** (-t)) - 1, abs=5 * 0.5 / math.sqrt(MANY))


def test_a_step_of_training_multiplies_the_weights_by_their_gates() -> None:
    network, parametrised = built()
    images = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    module = sampled(at(parametrised, 3))
    masked = small_network()
    with torch.no_grad():
        for name, gate in module.gates().items():
            masked.get_parameter(name).mul_(gate)
        torch.testing.assert_close(module.train()(images), masked.train()(images))
    assert all(torch.equal(value, small_network().get_parameter(name)) for name, value in network.named_parameters())


def test_the_gradient_of_a_logit_is_that_of_the_formula() -> None:
    """dL/dl = dL/dw' * w * m (1 - m) / T; weights are 1 and the input is dL/dw'."""
    logits, inputs = torch.tensor([-1.0, 0.0, 0.4, 2.0]), torch.tensor([[1.0, -2.0, 0.5, 3.0]], dtype=torch.float64)
    parametrised = at(linear(logits, Bernoulli(temperature=0.5)), 7)
    module = sampled(parametrised)
    m = module.gates()["weight"][0].detach()
    module.train()(inputs).sum().backward()
    found = parametrised.learned["weight"].grad
    assert found is not None
    torch.testing.assert_close(found[0], inputs[0] * m * (1 - m) / 0.5)


@pytest.mark.parametrize("prior", [0.05, 0.5, 0.9])
def test_the_penalty_is_lambda_times_the_summed_divergence_from_the_prior(prior: float) -> None:
    logits = torch.tensor([-30.0, -3.0, -0.2, 0.0, 1.0, 8.0], dtype=torch.float64)
    found = penalty(linear(logits, Bernoulli(penalty=0.3, prior=prior)))
    probabilities = torch.tensor(prior, dtype=torch.float64)
    expected = kl_divergence(Distribution(logits=logits), Distribution(probs=probabilities)).sum()
    torch.testing.assert_close(found, 0.3 * expected)


def test_there_is_nothing_to_pay_where_probabilities_are_the_priors() -> None:
    for prior in (0.05, 0.5):
        logit = math.log(prior / (1 - prior))
        parametrised = linear(torch.full((4,), logit, dtype=torch.float64), Bernoulli(penalty=1, prior=prior))
        assert penalty(parametrised).item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_the_penalty_is_that_of_finite_differences() -> None:
    logits, step = torch.tensor([-4.0, -0.5, 0.3, 2.5], dtype=torch.float64), 1e-5
    settings = Bernoulli(penalty=0.7, prior=0.1)
    parametrised = linear(logits, settings)
    penalty(parametrised).backward()
    found = parametrised.learned["weight"].grad
    assert found is not None
    for index in range(len(logits)):
        move = step * torch.eye(len(logits), dtype=torch.float64)[index]
        above, below = (penalty(linear(logits + way * move, settings)).item() for way in (1, -1))
        assert found[0, index].item() == pytest.approx((above - below) / (2 * step), rel=1e-6)
    # p - p0 in the first order, and so down where p is above the prior.
    assert bool((found[0].sign() == (torch.sigmoid(logits) - 0.1).sign()).all())


def test_a_penalty_on_extreme_logits_is_finite_and_has_a_gradient() -> None:
    parametrised = linear(torch.tensor([-200.0, 200.0], dtype=torch.float64), Bernoulli(penalty=1, prior=0.05))
    value = penalty(parametrised)
    value.backward()
    assert value.item() == pytest.approx(-math.log(0.95) - math.log(0.05))
    gradient = parametrised.learned["weight"].grad
    assert gradient is not None
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("sparsity", [0.5, 0.95])
def test_the_prior_is_the_share_that_is_kept_unless_it_is_stated(sparsity: float) -> None:
    logits = torch.tensor([0.3, -2.0], dtype=torch.float64)

    def paid(**changes: float) -> float:
        return penalty(linear(logits, Bernoulli.model_validate({"penalty": 1.0, **changes}), sparsity)).item()

    assert paid() == pytest.approx(paid(prior=1 - sparsity))
    assert paid() != pytest.approx(paid(prior=0.3))


def test_the_penalty_of_a_network_is_that_of_all_its_parameters() -> None:
    _, parametrised = built(Bernoulli(penalty=1), sparsity=0.95)
    total = sum(parameter.numel() for parameter in small_network().parameters())
    # At logits of 0: half of the weights where a twentieth should be.
    expected = total * (0.5 * math.log(0.5 / 0.05) + 0.5 * math.log(0.5 / 0.95))
    assert penalty(parametrised).item() == pytest.approx(expected, rel=1e-5)


def test_without_lambda_or_without_anything_to_remove_there_is_no_penalty() -> None:
    assert built(Bernoulli(penalty=0))[1].penalty is None
    assert built(Bernoulli(penalty=1), sparsity=0)[1].penalty is None
    assert built(Bernoulli(penalty=1, prior=0.5), sparsity=0)[1].penalty is not None


@pytest.mark.parametrize("sparsity", [0.3, 0.95])
def test_evaluation_keeps_the_exact_count_of_the_highest_logits(sparsity: float) -> None:
    _, parametrised = built(sparsity=sparsity)
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for logit in parametrised.learned.values():
            logit.copy_(torch.randn(logit.shape, generator=chance))
    module, images = sampled(parametrised).eval(), torch.randn(3, 4, 6, 6, generator=chance)
    masks = module.masks()
    assert masks.keys() == set(EVERYTHING)
    total = sum(mask.numel() for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == total - round(sparsity * total)
    logits = {name: logit.detach() for name, logit in parametrised.learned.items()}
    least_kept = torch.cat([logits[name][mask] for name, mask in masks.items()]).min()
    assert least_kept > torch.cat([logits[name][~mask] for name, mask in masks.items()]).max()
    with torch.no_grad():
        cut = small_network().eval()
        for name, mask in masks.items():
            cut.get_parameter(name).mul_(mask)
        assert torch.equal(module(images), cut(images))
        at(parametrised, 5)
        assert torch.equal(module(images), cut(images)), "whatever the step"


def test_no_weight_moves_and_everything_has_a_gate_that_does() -> None:
    network, parametrised = built(Bernoulli(penalty=1e-3), sparsity=0.8)
    optimiser = torch.optim.AdamW([one for _, one in parametrised.trainable_parameters()], lr=0.1, weight_decay=0)
    module = sampled(parametrised).train()
    for step in range(4):
        at(parametrised, step)
        images = torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        (module(images).square().mean() + penalty(parametrised)).backward()
        optimiser.step()
    assert parametrised.learned.keys() == parametrised.trainable.keys() == set(EVERYTHING)
    assert {"hidden.bias", "norm1.weight", "norm1.bias", "head.weight", "head.bias"} <= parametrised.learned.keys()
    for name, logit in parametrised.learned.items():
        assert logit.shape == network.get_parameter(name).shape
        assert bool((logit != 0).all()), name
    for name, value in network.named_parameters():
        assert not value.requires_grad
        assert torch.equal(value, small_network().get_parameter(name))


@pytest.mark.parametrize("train_head", [False, True])
def test_a_head_that_is_not_pruned_trains_on_request(train_head: bool) -> None:
    network = small_network()
    names = tuple(name for name in EVERYTHING if not name.startswith("head."))
    parametrised = Bernoulli(train_head=train_head).build(
        network, network, names, selection=LEARNED, sparsity=0.5, is_head=lambda name: name.startswith("head.")
    )
    head = {"head.weight", "head.bias"} if train_head else set()
    assert {name for name, _ in parametrised.trainable_parameters()} == {*names, *head}
    assert {name for name, one in network.named_parameters() if one.requires_grad} == head
    assert built(Bernoulli(train_head=train_head))[1].trainable.keys() == set(EVERYTHING), "a gate is all that trains"


def test_noise_is_addressed_by_seed_and_step() -> None:
    def drawn(step: int, seed: int = 0) -> Tensor:
        return torch.cat([one.flatten() for one in sampled(at(built(SMOOTH, seed=seed)[1], step)).gates().values()])

    assert torch.equal(drawn(4), drawn(4))
    assert not torch.equal(drawn(4), drawn(5))
    assert not torch.equal(drawn(4), drawn(4, seed=1))
    _, parametrised = built()
    module = sampled(at(parametrised, 4))
    first = module.gates()
    torch.rand(7)  # chance that is used elsewhere in between
    again = module.gates()
    assert all(torch.equal(one, again[name]) for name, one in first.items())
    assert len(drawn(4).unique()) > 0.99 * len(drawn(4)), "each weight has its own"


@pytest.mark.parametrize(
    ("timeline", "message"),
    [(OneShot(), "set timeline.epochs"), (Iterative(), "one sparsity"), (Gradual(), "one sparsity")],
)
def test_gates_need_training_and_a_single_prune(timeline: AnyTimeline, message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_composable(LEARNED, Bernoulli(), timeline.plan(0.5, 10))
    require_composable(LEARNED, Bernoulli(), OneShot(epochs=1).plan(0.5, 10))


def test_a_score_that_does_not_read_what_was_learned_is_refused() -> None:
    with pytest.raises(UserError, match="learned"):
        require_composable(
            Selection.model_validate({"score": "magnitude"}), Bernoulli(), OneShot(epochs=1).plan(0.5, 10)
        )
