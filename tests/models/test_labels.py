"""Channels are followed through every layout: what goes together, what may not go, and exactly so."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.models.channels import Port
from robust_tickets.models.couplings import ChannelTrace, trace_channels
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.proofs import relative_difference
from robust_tickets.models.surgery import cut_channels, mask_channels
from robust_tickets.pruning.groups import Channel
from robust_tickets.pruning.scopes import LayerScope
from robust_tickets.pruning.select import Selection
from robust_tickets.shrinking.removal import remove_channels


class Between(nn.Module):
    """Two convolutions of 12 channels, and any code between them and behind them."""

    def __init__(self, code, width: int = 12, **modules: nn.Module) -> None:
        super().__init__()
        self.code, self.first = code, nn.Conv2d(3, 12, 3, padding=1)
        self.second = nn.Conv2d(12, 12, 3, padding=1)
        for name, module in modules.items():
            self.add_module(name, module)
        self.fc = nn.Linear(width, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.code(self, self.first(images), images).mean((2, 3)))


def shuffled(net: Any, x: Tensor, images: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return net.second(x).view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w).relu()


def halved_gate(net: Any, x: Tensor, images: Tensor) -> Tensor:
    value, gate = net.second(x).chunk(2, dim=1)
    return value * gate.sigmoid()


def windows(net: Any, x: Tensor, images: Tensor) -> Tensor:
    n, c, h, w = x.shape
    x = x.roll((1, 2), (2, 3)).view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
    return net.norm(x.relu().transpose(1, 2)).view(n, h // 4, w // 4, c, 16).permute(0, 3, 1, 2, 4).flatten(3)


def padded_shortcut(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return nn.functional.pad(x, (0, 0, 0, 0, 2, 2)) + net.wide(x)


def one_gate_for_all(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return net.second(x) * net.gate(x).sigmoid()


def scaled(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return x.relu() + net.layer_scale.scale * net.second(x)


def summed_branches(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return net.second(x).view(len(x), 3, 4, *x.shape[2:]).sum(1)


def mean_of_channels(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return net.second(x) - x.mean(1, keepdim=True)


def beside_the_image(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return torch.cat([x.relu(), images], 1)


def fixed_halves(net: Any, x: Tensor, images: Tensor) -> Tensor:
    return torch.cat([x[:, 6:], x[:, :6].relu()], 1)


def trace(net: nn.Module) -> ChannelTrace:
    return trace_channels(
        net.eval(), torch.zeros(1, 3, 8, 8), [name for name in weights_by_type(net) if "fc" not in name]
    )


@torch.no_grad()
def assert_removal_is_exact(net: nn.Module, found: ChannelTrace) -> None:
    """Mask and remove half of every set, and compare."""
    dead = {c.name: torch.arange(c.channels) % 2 == 1 for c in found.couplings}
    for coupling in found.couplings:
        mask_channels(net, coupling, dead[coupling.name])
    smaller = copy.deepcopy(net)
    cut_channels(smaller, found.sets, dead)
    images = torch.randn(2, 3, 8, 8)
    assert relative_difference(smaller(images), net(images)) < 1e-5
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in net.parameters())


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(12, 1, 1))


CASES = [
    # code, widths and modules it needs, channels of each set, reason why the others stay
    (shuffled, {}, {"first.weight": 12, "second.weight": 4}, {}),
    (halved_gate, {"width": 6}, {"first.weight": 12, "second.weight": 6}, {}),
    (windows, {"norm": nn.BatchNorm1d(12)}, {"first.weight": 12}, {"second.weight": "is not called as a layer"}),
    (
        padded_shortcut,
        {"width": 16, "wide": nn.Conv2d(12, 16, 1)},
        {"first.weight": 12},
        {"wide.weight": "meets padding", "second.weight": "is not called"},
    ),
    (
        one_gate_for_all,
        {"gate": nn.Conv2d(12, 1, 1)},
        {"first.weight": 12, "second.weight": 12},
        {"gate.weight": "is one inseparable channel"},
    ),
    (scaled, {"layer_scale": Scale()}, {"first.weight": 12}, {}),
    (summed_branches, {"width": 4}, {"first.weight": 12}, {"second.weight": "the network's own code fixes"}),
    (
        mean_of_channels,
        {},
        {},
        {"first.weight": "is averaged or compared", "second.weight": "is not zero where fc reads it"},
    ),
    (beside_the_image, {"width": 15}, {"first.weight": 12}, {"second.weight": "is not called"}),
    (fixed_halves, {}, {}, {"first.weight": "removing it changes the outputs", "second.weight": "is not called"}),
]


@pytest.mark.parametrize(("code", "needs", "sets", "kept"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_channels_are_followed_through(code, needs, sets, kept) -> None:
    torch.manual_seed(0)
    net = Between(code, **needs)
    found = trace(net)
    assert {coupling.name: coupling.channels for coupling in found.couplings} == sets
    reasons = {refusal.name: refusal.reason for refusal in found.refusals}
    assert reasons.keys() == kept.keys()
    assert all(part in reasons[name] for name, part in kept.items())
    if sets:
        assert_removal_is_exact(net, found)


def test_a_layer_scale_is_cut_with_the_channels_it_scales() -> None:
    net = Between(scaled, layer_scale=Scale())
    found = trace(net)
    (coupling,) = found.couplings
    assert "layer_scale.scale" in [member.parameter for member in coupling.followers]
    weights = {name: net.get_parameter(name) for name in ("first.weight", "second.weight")}
    masks = Selection(group=Channel(), scope=LayerScope()).select(weights, sparsity=0.5, couplings=found.couplings)
    assert masks["layer_scale.scale"].shape == (12, 1, 1)
    assert int(masks["layer_scale.scale"].sum()) == 6
    removal = remove_channels(net, masks, torch.zeros(1, 3, 8, 8))
    assert removal.body.get_parameter("layer_scale.scale").shape == (6, 1, 1)


def test_instance_norms_let_channels_go() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.Flatten(), nn.Linear(8 * 36, 2))
    found = trace_channels(net, torch.zeros(1, 3, 8, 8), ["0.weight"])
    assert found.couplings[0].channels == 8
    assert_removal_is_exact(net, found)


def test_all_tensors_of_a_dict_are_outputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 6, 1)

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            hidden = self.hidden(images).relu()
            return {"a": self.a(hidden), "b": self.b(hidden)}

    net = Two()
    found = trace(net)
    assert [coupling.name for coupling in found.couplings] == ["hidden.weight"]
    assert {refusal.reason for refusal in found.refusals} == {"reaches the output of the network"}
    assert_removal_is_exact(net, found)


def test_positions_of_a_shuffled_set_are_those_that_the_code_regroups() -> None:
    net = Between(shuffled)
    positions = trace(net).sets["second.weight"].positions
    assert sorted(map(sorted, positions[Port("second", "out")].tolist())) == [[i, i + 4, i + 8] for i in range(4)]
