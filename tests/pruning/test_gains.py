"""PenalisedGains of channels: what they are, what they cost, how they rank, and what a ticket of them is."""

import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.parametrisations import Parametrised, PenalisedGains
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import LearnedAlone

BY_GAIN = Selection.model_validate({"score": "learned", "group": "channel", "scope": "global"})


class TwoConvolutions(nn.Module):
    """A 3 x 3 convolution at 6 x 6 pixels with a norm, a strided 1 x 1 one at 3 x 3 pixels with a norm, and a head."""

    def __init__(self, second_norm: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 6, 1, stride=2, bias=not second_norm)
        self.norm2 = nn.BatchNorm2d(6) if second_norm else nn.Identity()
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm1(self.first(images)).relu()
        return self.head(self.norm2(self.second(features)).relu().mean((2, 3)))


NAMES = ("first.weight", "second.weight")
TIMES = {"first.weight": 36.0, "second.weight": 9.0}
"""Output pixels of either convolution."""


def built(
    settings: PenalisedGains | None = None, network: nn.Module | None = None
) -> tuple[nn.Module, Parametrised, tuple[Coupling, ...]]:
    torch.manual_seed(0)
    body = network if network is not None else TwoConvolutions()
    couplings = trace_couplings(body, torch.zeros(1, 2, 6, 6), NAMES)
    made = (settings or PenalisedGains()).build(body, body, NAMES, selection=BY_GAIN, sparsity=0.5, couplings=couplings)
    return body, made, couplings


def gammas(body: nn.Module) -> dict[str, Tensor]:
    """Give both norms scales of either sign."""
    values = {"norm1.weight": torch.tensor([0.5, -0.1, 2.0, 0.3]), "norm2.weight": torch.linspace(-1, 1, 6) * 0.9}
    with torch.no_grad():
        for name, value in values.items():
            body.get_parameter(name).copy_(value)
    return values


def cost(made: Parametrised, progress: float) -> float:
    assert made.before_step is not None
    assert made.penalty is not None
    made.before_step(Moment(0, 10, progress))
    return made.penalty().item()


def test_channels_pay_their_gain_times_their_multiply_adds_over_the_mean() -> None:
    body, made, _ = built(PenalisedGains(penalty=0.01, warmup=0.0))
    values = gammas(body)
    assert made.weigh is not None
    made.weigh(TIMES)
    # A channel of the first takes 2 * 9 * 36 multiply-adds and is read by 6 weights, each used 9 times.
    first, second = 2 * 9 * 36 + 6 * 9, 4 * 9
    mean = (4 * first + 6 * second) / 10
    sums = [values["norm1.weight"].abs().sum(), values["norm2.weight"].abs().sum()]
    expected = 0.01 * (first / mean * sums[0] + second / mean * sums[1])
    assert cost(made, 0.5) == pytest.approx(expected.item(), rel=1e-5)


def test_without_cost_all_channels_pay_alike() -> None:
    body, made, _ = built(PenalisedGains(penalty=0.01, warmup=0.0, by_cost=False))
    values = gammas(body)
    assert made.weigh is None
    assert cost(made, 0.0) == pytest.approx(0.01 * sum(value.abs().sum().item() for value in values.values()), rel=1e-5)


def test_the_penalty_rises_in_a_line_and_then_stays() -> None:
    body, made, _ = built(PenalisedGains(penalty=0.01, warmup=0.4, by_cost=False))
    gammas(body)
    whole = cost(made, 1.0)
    assert cost(made, 0.0) == 0
    assert cost(made, 0.1) == pytest.approx(whole / 4, rel=1e-6)
    assert cost(made, 0.4) == pytest.approx(whole, rel=1e-6)


def test_the_penalty_pulls_gains_towards_zero_from_either_side() -> None:
    body, made, _ = built(PenalisedGains(penalty=0.01, warmup=0.0, by_cost=False))
    values = gammas(body)
    assert made.penalty is not None
    made.penalty().backward()
    for name, value in values.items():
        gradient = body.get_parameter(name).grad
        assert gradient is not None
        assert torch.allclose(gradient, 0.01 * value.sign())


def test_the_channels_of_least_gain_go_whatever_their_weights() -> None:
    body, made, couplings = built()
    values = gammas(body)
    with torch.no_grad():
        body.get_parameter("first.weight")[1] *= 1000
    masks = BY_GAIN.select(
        {name: body.get_parameter(name).detach() for name in NAMES},
        sparsity=0.3,
        couplings=couplings,
        statistics=LearnedAlone(made.ranking),
        seed=0,
    )
    every = torch.cat([values["norm1.weight"], values["norm2.weight"]]).abs()
    kept = every > every.sort().values[2]
    assert torch.equal(masks["first.weight"].flatten(1).any(1), kept[:4])
    assert torch.equal(masks["second.weight"].flatten(1).any(1), kept[4:])
    # The norm goes with its channel, so that nothing is left of it.
    assert torch.equal(masks["norm1.weight"], kept[:4])
    assert torch.equal(masks["norm1.bias"], kept[:4])


def test_channels_without_a_norm_stay() -> None:
    body, made, couplings = built(network=TwoConvolutions(second_norm=False))
    with torch.no_grad():
        body.get_parameter("norm1.weight").fill_(5.0)
    masks = BY_GAIN.select(
        {name: body.get_parameter(name).detach() for name in NAMES},
        sparsity=0.3,
        couplings=couplings,
        statistics=LearnedAlone(made.ranking),
        seed=0,
    )
    assert bool(masks["second.weight"].flatten(1).any(1).all())
    assert int(masks["first.weight"].flatten(1).any(1).sum()) == 1


def test_a_network_without_norms_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    couplings = trace_couplings(network, torch.zeros(1, 2, 6, 6), ("0.weight",))
    with pytest.raises(UserError, match=r"no channel has a norm behind it.*use a network with batch norm"):
        PenalisedGains().build(network, network, ("0.weight",), selection=BY_GAIN, sparsity=0.5, couplings=couplings)


def test_it_needs_whole_channels_and_their_scores() -> None:
    with pytest.raises(UserError, match="gains"):
        rt.draw("demo/resnet4", weights="random", sparsity=0.5, score="learned", parametrisation="gains")


def test_a_draw_removes_the_exact_count_of_channels_and_counts_multiply_adds_itself() -> None:
    data = rt.DataSettings(name="digits", per_class=6, channels=3, size=(16, 16))
    ticket = rt.draw(
        "demo/resnet4",
        weights="random",
        data=data,
        sparsity=0.5,
        group="channel",
        score="learned",
        scope="global",
        parametrisation={"kind": "gains", "penalty": 0.05, "warmup": 0.0},
        timeline={"kind": "one-shot", "epochs": 1},
        training={"batch_size": 20, "precision": "fp32"},
        rewind="none",
        head="fresh",
    )
    assert ticket.network is not None
    body = ticket.subnetwork(ticket.network).body
    couplings = trace_couplings(body, torch.zeros(1, 3, 16, 16), ticket.prunable)
    removed = [int((~ticket.masks[one.producers[0].parameter].flatten(1).any(1)).sum()) for one in couplings]
    assert sum(removed) == sum(one.channels for one in couplings) // 2
