"""Soft thresholds (STR, arXiv 2002.03231): gradients by hand, what moves a threshold, what it leaves."""

import math

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import Parametrised, SoftThreshold
from robust_tickets.pruning.rewinds import AnyRewind, NoRewind, PretrainedRewind
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import LearnedAlone
from robust_tickets.pruning.timelines import AnyTimeline, Gradual, Iterative, OneShot
from robust_tickets.training.optimisers import SGD, AdamW, parameter_groups
from tests.pruning.small_network import PRUNABLE, small_network

LEARNED = Selection.model_validate({"score": "learned"})
WEIGHT, INPUTS = [0.5, -1.0, 2.0, -0.25, 0.0], [1.0, 2.0, -1.0, 4.0, 3.0]
S = math.log(0.3 / 0.7)
"""Where the threshold sigmoid(s) is .3."""


def linear(settings: SoftThreshold) -> tuple[nn.Linear, Parametrised]:
    body = nn.Linear(5, 1, bias=False)
    with torch.no_grad():
        body.weight.copy_(torch.tensor([WEIGHT]))
    return body, settings.build(body, body, ("weight",), selection=LEARNED, sparsity=0.0)


def loss_of(built: Parametrised) -> Tensor:
    return (built.module(torch.tensor([INPUTS])).square() / 2).sum()


def test_weights_are_shrunken_by_the_threshold_and_gradients_are_those_worked_out_by_hand() -> None:
    body, built = linear(SoftThreshold(start=S))
    shrunken = built.module.masked_parameters()["weight"].detach()
    assert torch.allclose(shrunken, torch.tensor([[0.2, -0.7, 1.7, 0.0, 0.0]]))
    loss_of(built).backward()
    output = 0.2 * 1 - 0.7 * 2 - 1.7 * 1
    assert body.weight.grad is not None
    assert torch.allclose(body.weight.grad, output * torch.tensor([[1.0, 2.0, -1.0, 0.0, 0.0]]))
    of_s = built.learned["weight"].grad
    assert of_s is not None
    # - sigmoid'(s) times the sum of dL/dw' sign(w) over |w| > t
    assert of_s.item() == pytest.approx(-0.3 * 0.7 * output * (1.0 - 2.0 - 1.0), rel=1e-5)


def test_the_gradient_of_s_is_a_difference_quotient() -> None:
    network = small_network().double()
    built = SoftThreshold(start=-3).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.0)
    images = torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    built.module.eval()
    built.module(images).square().mean().backward()
    for name, s in built.learned.items():
        values = []
        for change in (1e-6, -2e-6):
            with torch.no_grad():
                s.add_(change)
                values.append(built.module(images).square().mean().item())
        with torch.no_grad():
            s.add_(1e-6)
        assert s.grad is not None
        assert s.grad.item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4, abs=1e-9), name


def optimiser_over(built: Parametrised, settings: SGD | AdamW) -> torch.optim.Optimizer:
    named = list(built.trainable_parameters())
    groups = parameter_groups(
        named,
        settings,
        is_head=[False] * len(named),
        head_lr=None,
        own_lr=built.rates,
        own_decay=built.decays,
    )
    return settings.build(groups)


OPTIMISERS = [SGD(lr=0.1, momentum=0, weight_decay=0.01), AdamW(lr=0.1, weight_decay=0.01)]


@pytest.mark.parametrize("settings", OPTIMISERS)
def test_decay_alone_drives_s_up_where_the_threshold_is_still_zero(settings: SGD | AdamW) -> None:
    """At s = -3200 its gradient is exactly 0: s shrinks by lr times decay a step, and not at all without decay."""
    _, built = linear(SoftThreshold())
    optimiser = optimiser_over(built, settings)
    for _ in range(10):
        optimiser.zero_grad()
        loss_of(built).backward()
        gradient = built.learned["weight"].grad
        assert gradient is not None
        assert gradient.item() == 0.0
        optimiser.step()
    assert built.learned["weight"].item() == pytest.approx(-3200 * (1 - 0.1 * 0.01) ** 10, rel=1e-6)
    _, still = linear(SoftThreshold())
    optimiser = optimiser_over(still, settings.model_copy(update={"weight_decay": 0.0}))
    loss_of(still).backward()
    optimiser.step()
    assert still.learned["weight"].item() == -3200


@pytest.mark.parametrize("settings", OPTIMISERS)
def test_s_decays_as_weights_do_unless_it_has_its_own_decay(settings: SGD | AdamW) -> None:
    found = []
    for decay in (None, 0.0, 0.5):
        network = small_network()
        built = SoftThreshold(decay=decay).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.0)
        optimiser = optimiser_over(built, settings)
        of_s = {id(s) for s in built.learned.values()}
        groups = [group for group in optimiser.param_groups if of_s & {id(p) for p in group["params"]}]
        assert sum(len(group["params"]) for group in optimiser.param_groups) == len(dict(built.trainable_parameters()))
        assert all(group["lr"] == settings.lr for group in groups)
        found.append([group["weight_decay"] for group in groups])
    assert found == [[0.01], [0.0], [0.5]]


def test_more_decay_removes_more() -> None:
    gone = []
    for decay in (0.0, 0.015, 0.025):
        network = small_network()
        built = SoftThreshold(start=-12, decay=decay).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.0)
        optimiser = optimiser_over(built, SGD(lr=0.1, momentum=0.9, weight_decay=0.001))
        for step in range(60):
            images = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(step))
            loss = built.module.train()(images).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        assert built.own_sparsity is not None
        gone.append(built.own_sparsity())
    assert gone[0] < 0.01 < gone[1] < gone[2] < 1


def test_what_training_removed_is_what_is_zero_and_the_network_settles_on_what_it_computed() -> None:
    network = small_network()
    built = SoftThreshold(start=-2.5).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.0)
    with torch.no_grad():
        next(iter(built.learned.values())).fill_(-6)
    images = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    computed = built.module.eval()(images)
    shrunken = {name: value.clone() for name, value in built.module.masked_parameters().items()}
    assert built.own_sparsity is not None
    assert built.settle is not None
    own = built.own_sparsity()
    masks = LEARNED.select(
        {name: network.get_parameter(name) for name in PRUNABLE},
        sparsity=own,
        statistics=LearnedAlone(built.ranking),
    )
    assert 0.1 < own < 0.9
    for name in PRUNABLE:
        assert torch.equal(masks[name], shrunken[name] != 0), name
    for _ in range(2):  # settling twice is settling once
        built.settle()
        assert all(torch.equal(network.get_parameter(name), value) for name, value in shrunken.items())
        assert torch.equal(network.eval()(images), computed)
        assert torch.equal(built.module(images), computed)


def test_a_network_without_any_weight_left_is_refused() -> None:
    _, built = linear(SoftThreshold(start=-1e-3))
    with torch.no_grad():
        built.learned["weight"].fill_(20.0)
        built.module.network.weight.mul_(0.1)
    assert built.own_sparsity is not None
    with pytest.raises(UserError, match="removed all weights; lower its weight decay"):
        built.own_sparsity()


@pytest.mark.parametrize(
    ("timeline", "rewind", "message"),
    [
        (Gradual(), NoRewind(), "at one sparsity, .* use timeline 'one-shot'"),
        (Iterative(rounds=2), NoRewind(), "at one sparsity, .* use timeline 'one-shot'"),
        (OneShot(), NoRewind(), "set timeline.epochs"),
        (OneShot(epochs=1), PretrainedRewind(), "use rewind 'none'"),
    ],
)
def test_what_it_cannot_go_with_is_refused(timeline: AnyTimeline, rewind: AnyRewind, message: str) -> None:
    sparsity = None if isinstance(timeline, Iterative) else 0.5
    with pytest.raises(UserError, match=message):
        require_composable(LEARNED, SoftThreshold(), timeline.plan(sparsity, 10), rewind)
