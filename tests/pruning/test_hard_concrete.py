"""Hard concrete gates: the formulas of arXiv 1712.01312 and 2211.03013, their noise, and what is drawn in the end."""

import math

import pytest
import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import HardConcrete, Parametrised
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, Gradual, Iterative, OneShot
from tests.pruning.small_network import PRUNABLE, small_network

LEARNED = Selection.model_validate({"score": "learned"})
GAMMA, ZETA, BETA = -0.1, 1.1, 2 / 3


def built(settings: HardConcrete | None = None, seed: int = 0) -> tuple[nn.Module, Parametrised]:
    network = small_network()
    return network, (settings or HardConcrete()).build(
        network,
        network,
        PRUNABLE,
        selection=LEARNED,
        sparsity=0.5,
        is_head=lambda name: name.startswith("head."),
        seed=seed,
    )


def linear(log_alpha: list[float], settings: HardConcrete, weight: list[float] | None = None) -> Parametrised:
    """Return a layer of one output whose gates have these log alphas."""
    body = nn.Linear(len(log_alpha), 1, bias=False)
    parametrised = settings.build(body, body, ("weight",), selection=LEARNED, sparsity=0.5)
    with torch.no_grad():
        body.weight.copy_(torch.tensor([weight or [1.0] * len(log_alpha)]))
        parametrised.learned["weight"].copy_(torch.tensor([log_alpha]))
    return parametrised


def at(parametrised: Parametrised, step: int, steps: int = 10) -> Parametrised:
    assert parametrised.before_step is not None
    parametrised.before_step(Moment(step, steps, 0.0))
    return parametrised


def penalty(parametrised: Parametrised) -> torch.Tensor:
    assert parametrised.penalty is not None
    return parametrised.penalty()


def test_gates_of_evaluation_are_the_stretched_and_clipped_sigmoid() -> None:
    parametrised = linear([-5.0, -1.0, 0.0, 2.0, 5.0], HardConcrete())
    gates = parametrised.module.eval()(torch.eye(5)).detach().flatten().tolist()
    expected = [min(1, max(0, (ZETA - GAMMA) / (1 + math.exp(-x)) + GAMMA)) for x in (-5.0, -1.0, 0.0, 2.0, 5.0)]
    assert gates == pytest.approx(expected, abs=1e-6)
    assert gates[0] == 0
    assert gates[-1] == 1


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_every_gate_starts_as_open_as_the_settings_say(share: float) -> None:
    network, parametrised = built(HardConcrete(open=share))
    images = torch.randn(3, 4, 6, 6)
    reference = small_network().eval()
    with torch.no_grad():
        for name in PRUNABLE:
            reference.get_parameter(name).mul_(share)
    assert torch.allclose(parametrised.module.eval()(images), reference(images), atol=1e-6)
    assert torch.equal(network.get_parameter("stem.weight"), small_network().get_parameter("stem.weight"))


def test_noisy_gates_follow_their_distribution() -> None:
    """P(m > 0) and P(m = 1) as arXiv 1712.01312 derives them, over many weights of one log alpha."""
    parametrised = at(linear([0.3] * 40_000, HardConcrete()), 1)
    gates = parametrised.module.train().gates()["weight"]
    sigmoid = torch.sigmoid
    is_open = sigmoid(torch.tensor(0.3 - BETA * math.log(-GAMMA / ZETA))).item()
    is_whole = sigmoid(torch.tensor(0.3 - BETA * math.log((1 - GAMMA) / (ZETA - 1)))).item()
    assert (gates > 0).float().mean().item() == pytest.approx(is_open, abs=0.01)
    assert (gates == 1).float().mean().item() == pytest.approx(is_whole, abs=0.01)


def test_the_gradient_of_log_alpha_is_that_of_the_formula() -> None:
    """dL/dlog alpha = dL/dw' * w * (zeta - gamma) s (1 - s) / beta, and nothing where the gate is clipped."""
    log_alpha, weight = [-0.5, 0.2, 0.9, 9.0], [0.5, -2.0, 1.5, 1.0]
    parametrised = at(linear(log_alpha, HardConcrete(), weight), 3)
    inputs = torch.tensor([[1.0, 2.0, -1.0, 0.5]])
    parametrised.module.train()(inputs).sum().backward()
    gradient = parametrised.learned["weight"].grad
    assert gradient is not None
    noise = parametrised.module.noise("weight", torch.empty(1, 4))[0]
    s = torch.sigmoid((noise + torch.tensor(log_alpha)) / BETA)
    inside = (s * (ZETA - GAMMA) + GAMMA - 0.5).abs() < 0.5
    expected = inputs[0] * torch.tensor(weight) * (ZETA - GAMMA) * s * (1 - s) / BETA * inside
    assert torch.allclose(gradient[0], expected, atol=1e-6)
    assert gradient[0, 3] == 0
    assert gradient.any()


def test_the_penalty_is_lambda_times_the_expected_share_of_open_gates() -> None:
    log_alpha = [-2.0, 0.0, 1.5]
    parametrised = at(linear(log_alpha, HardConcrete(penalty=0.7, delay=0, warmup=0)), 0)
    shares = [1 / (1 + math.exp(-(x - BETA * math.log(-GAMMA / ZETA)))) for x in log_alpha]
    value = penalty(parametrised)
    assert value.item() == pytest.approx(0.7 * sum(shares) / 3, rel=1e-5)
    value.backward()
    gradient = parametrised.learned["weight"].grad
    assert gradient is not None
    assert gradient.flatten().tolist() == pytest.approx([0.7 / 3 * p * (1 - p) for p in shares], rel=1e-5)


def test_the_penalty_is_a_mean_over_weights_and_not_over_layers() -> None:
    _, parametrised = built(HardConcrete(penalty=1, delay=0, warmup=0))
    with torch.no_grad():
        parametrised.learned["stem.weight"].fill_(50.0)
        for name in PRUNABLE[1:]:
            parametrised.learned[name].fill_(-50.0)
    sizes = [parametrised.learned[name].numel() for name in PRUNABLE]
    assert penalty(parametrised).item() == pytest.approx(sizes[0] / sum(sizes))


@pytest.mark.parametrize("steps", [10, 1000])
def test_lambda_rises_with_the_share_of_training_steps_whatever_a_batch_holds(steps: int) -> None:
    """The public code counted the entries of a batch's dictionary, so that lambda rose at another pace."""
    parametrised = linear([50.0] * 4, HardConcrete(penalty=0.5, delay=0.1, warmup=0.3))
    seen = [penalty(at(parametrised, step, steps)).item() for step in range(0, steps, steps // 10)]
    assert seen == pytest.approx([0, 0, 1 / 6, 1 / 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])


def test_noise_is_addressed_by_seed_and_step() -> None:
    images = torch.randn(3, 4, 6, 6)

    def outputs(step: int, seed: int = 0) -> torch.Tensor:
        return at(built(seed=seed)[1], step).module.train()(images)

    assert torch.equal(outputs(4), outputs(4))
    assert not torch.equal(outputs(4), outputs(5))
    assert not torch.equal(outputs(4), outputs(4, seed=1))
    _, parametrised = built()
    at(parametrised, 4).module.train()
    torch.rand(7)  # chance that is used elsewhere in between
    assert torch.equal(parametrised.module(images), parametrised.module(images))
    assert not torch.equal(parametrised.module.noise("stem.weight", torch.empty(8)),
                           parametrised.module.noise("hidden.weight", torch.empty(8)))  # fmt: skip


def test_inputs_may_be_a_mapping_of_tensors() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return self.layer(inputs["a"] + inputs["b"])

    network = Sum()
    parametrised = HardConcrete().build(network, network, ("layer.weight",), selection=LEARNED, sparsity=0.5)
    assert parametrised.module({"a": torch.ones(4, 3), "b": torch.zeros(4, 3)}).shape == (4, 2)


@pytest.mark.parametrize("train_head", [False, True])
def test_only_gates_and_on_request_the_head_train(train_head: bool) -> None:
    network, parametrised = built(HardConcrete(train_head=train_head))
    head = {"head.weight", "head.bias"} if train_head else set()
    assert {name for name, _ in parametrised.trainable_parameters()} == {*PRUNABLE, *head}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == head


def test_without_lambda_there_is_no_penalty() -> None:
    assert built(HardConcrete(penalty=0))[1].penalty is None


@pytest.mark.parametrize(
    ("timeline", "message"),
    [(OneShot(), "set timeline.epochs"), (Iterative(), "one sparsity"), (Gradual(), "one sparsity")],
)
def test_gates_need_training_and_a_single_prune(timeline: AnyTimeline, message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_composable(LEARNED, HardConcrete(), timeline.plan(0.5, 10))
    require_composable(LEARNED, HardConcrete(), OneShot(epochs=1).plan(0.5, 10))
