"""Channels out of a network in place, part by part: the function that is left, and the way back to the whole."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.proofs import relative_difference
from robust_tickets.models.sources import load_source
from robust_tickets.models.surgery import mask_channels
from robust_tickets.pruning.masks import full
from robust_tickets.training.removed_channels import RemovedChannels, left_after_cut
from tests.shrinking.networks import classifier as residual
from tests.training.small import classifier, equal


class TwoCourses(nn.Module):
    """The first convolution's channels are added to those of two others: half of them to either."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.one = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.other = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        both = torch.cat([self.one(images), self.other(images)], 1)
        return self.fc((self.whole(images) + both).mean((2, 3)))


def two_courses() -> Network:
    torch.manual_seed(0)
    body = TwoCourses()
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 3
            module.running_var = torch.rand(module.num_features) + 0.5
    return Network(body, Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(12, 12)), "fc").eval()


def supernet() -> Network:
    network = load_source("supernet/hr4-1", weights="random").network
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 3
            module.running_var = torch.rand(module.num_features) + 0.5
    return network.eval()


NETWORKS: dict[str, Callable[[], Network]] = {
    "plain": lambda: classifier().eval(),
    "residual, grouped and depthwise": residual,
    "two courses": two_courses,
    "supernet": supernet,
}
NETWORK = pytest.mark.parametrize("name", NETWORKS)


def removable(network: Network) -> RemovedChannels:
    names = [name for name in weights_by_type(network.body) if not name.startswith(f"{network.head}.")]
    return RemovedChannels(network, names, dict.fromkeys(names, 1.0))


def some(removed: RemovedChannels, seed: int, most: int | None = None) -> dict[str, Tensor]:
    """Return channels of all couplings that have several, at random; one of each stays."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for one in removed.couplings:
        dead = torch.rand(one.channels, generator=random) < 0.4 if most is None else torch.ones(one.channels).bool()
        dead[int(torch.randint(one.channels, (), generator=random))] = False
        if dead.any():
            found[one.name] = dead
    return found


def inputs(network: Network, count: int = 3) -> Tensor:
    shape = network.interface.example(count).shape
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@NETWORK
@torch.no_grad()
def test_a_network_cut_twice_computes_what_the_whole_does_with_those_channels_masked(name: str) -> None:
    network = NETWORKS[name]()
    masked = copy.deepcopy(network)
    removed = removable(network)
    images = inputs(network)
    for seed in (0, 1):
        removed.cut(some(removed, seed))
        for one in removed.all_couplings:
            mask_channels(masked.body, one, removed.gone[one.name])
        assert relative_difference(network(images), masked(images)) < 1e-5
    count = sum(parameter.numel() for parameter in network.body.parameters())
    assert count < 0.7 * sum(parameter.numel() for parameter in masked.body.parameters())


@NETWORK
@torch.no_grad()
def test_a_single_channel_of_each_coupling_carries_the_network(name: str) -> None:
    """A path that nobody wants keeps one; nothing more can be taken, and all of it still counts."""
    network = NETWORKS[name]()
    removed = removable(network)
    removed.cut(some(removed, 0, most=1))
    assert [one.name for one in removed.couplings] == [one.name for one in removed.all_couplings]
    assert {one.channels for one in removed.couplings} == {1}
    assert bool(network(inputs(network)).isfinite().all())
    removed.note(7, removed.gone)
    (last,) = removed.removals
    assert last.step == 7
    assert last.channels == len(removed.all_couplings) / sum(one.channels for one in removed.all_couplings)
    gains = {one.name: torch.zeros(1) for one in removed.couplings}
    masks = full({weight: network.body.get_parameter(weight) for weight in removed.names})
    assert removed.chosen(gains, masks, 1.0, 0.0, 0.999) is None


@NETWORK
@torch.no_grad()
def test_cutting_in_parts_is_cutting_at_once(name: str) -> None:
    """So that a checkpoint need only say which channels are gone."""
    parts = removable(NETWORKS[name]())
    for seed in (0, 1, 2):
        parts.cut(some(parts, seed))
    once = removable(NETWORKS[name]())
    once.cut({name: gone for name, gone in parts.gone.items() if gone.any()})
    assert equal(dict(once.body.state_dict()), dict(parts.body.state_dict()))
    assert equal(once.places(), parts.places())
    assert equal(once.gone, parts.gone)
    for one, other in zip(once.couplings, parts.couplings, strict=True):
        assert one.name == other.name
        for ours, theirs in zip(
            (*one.producers, *one.followers, *one.readers),
            (*other.producers, *other.followers, *other.readers),
            strict=True,
        ):
            assert (ours.parameter, ours.dim, ours.shape) == (theirs.parameter, theirs.dim, theirs.shape)
            assert torch.equal(ours.index, theirs.index)


@NETWORK
@torch.no_grad()
def test_what_is_left_is_numbered_as_a_fresh_look_at_it_would(name: str) -> None:
    network = NETWORKS[name]()
    removed = removable(network)
    removed.cut(some(removed, 0))
    fresh = trace_couplings(network.body, network.interface.example(1), removed.names)
    several = [one for one in removed.couplings if one.channels > 1]
    assert len(fresh) == len(several) > 0
    for ours, theirs in zip(several, fresh, strict=True):
        assert ours.channels == theirs.channels
        for one, other in zip((*ours.producers, *ours.followers), (*theirs.producers, *theirs.followers), strict=True):
            assert one.parameter == other.parameter
            assert torch.equal(one.index, other.index)


@NETWORK
@torch.no_grad()
def test_the_whole_comes_back_with_zeros_and_masks_where_channels_went(name: str) -> None:
    network = NETWORKS[name]()
    start = network.plain_state()
    removed = removable(network)
    for seed in (0, 1):
        removed.cut(some(removed, seed))
    small = network.body
    for parameter in small.parameters():
        parameter.mul_(1.5)
    random = torch.Generator().manual_seed(0)
    weights = {name: small.get_parameter(name) for name in removed.names}
    masks = {name: torch.rand(weight.shape, generator=random) < 0.7 for name, weight in weights.items()}
    for name, weight in weights.items():
        weight.mul_(masks[name])
    expected = network(inputs(network))
    with removed.undone(masks) as found:
        assert network.body is removed.whole
        assert relative_difference(network(inputs(network)), expected) < 1e-5
        state = network.plain_state()
    assert network.body is small
    assert state.keys() == start.keys()
    assert all(value.shape == start[name].shape for name, value in state.items())
    assert found.keys() > set(removed.names), "followers are masked, too"
    for name, mask in found.items():
        assert not bool(state[name][~mask].any())
        assert torch.equal(state[name][mask], 1.5 * start[name][mask])
    for one in removed.all_couplings:
        for member in (*one.producers, *one.followers):
            lost = found[member.parameter].movedim(member.dim, 0)[member.index[removed.gone[one.name]].flatten()]
            assert not bool(lost.any())
    assert sum(int(found[name].sum()) for name in removed.names) == sum(int(mask.sum()) for mask in masks.values())


def test_what_moves_keeps_its_order() -> None:
    before, after = torch.tensor([[0, 2, 5], [6, 8, 11]]), torch.tensor([[2], [11]])
    assert (
        left_after_cut(torch.tensor([[0.0, 0.2, 0.5], [0.6, 0.8, 1.1]]), before, after).tolist()
        == torch.tensor([[0.2], [1.1]]).tolist()
    )


@NETWORK
@torch.no_grad()
def test_as_many_of_the_lowest_channels_go_as_the_target_allows(name: str) -> None:
    network = NETWORKS[name]()
    removed = removable(network)
    numbers = iter(torch.randperm(sum(one.channels for one in removed.couplings)).tolist())
    gains = {one.name: torch.tensor([float(next(numbers)) for _ in range(one.channels)]) for one in removed.couplings}
    masks = full({weight: network.body.get_parameter(weight) for weight in removed.names})
    most, threshold = 0.4, 1e9
    dead = removed.chosen(gains, masks, threshold, 0.0, most)
    assert dead is not None
    gone = {(gain, name) for name, one in dead.items() for gain in gains[name][one].tolist()}
    highest = max(gone)[0]
    others = [
        (gain, name)
        for name, ranks in gains.items()
        for gain in ranks.tolist()
        if gain < highest and gain != float(ranks.max()) and (gain, name) not in gone
    ]
    assert not others, "the lowest go first"
    removed.cut(dead)
    left = sum(network.body.get_parameter(weight).numel() for weight in removed.names)
    assert removed.weights - left <= most * removed.weights + 0.5
    later = {name: ranks[~dead[name]] if name in dead else ranks for name, ranks in gains.items()}
    masks = full({weight: network.body.get_parameter(weight) for weight in removed.names})
    assert removed.chosen(later, masks, threshold, 0.0, most) is None, "and not one more fits"


@torch.no_grad()
def test_a_network_whose_images_lie_channels_last_is_made_whole_again() -> None:
    name = next(iter(NETWORKS))
    network = NETWORKS[name]()
    network.body.to(memory_format=torch.channels_last)
    expected = {key: value.clone() for key, value in network.body.state_dict().items()}
    removed = removable(network)
    removed.undo(full({weight: network.body.get_parameter(weight) for weight in removed.names}))
    assert network.body is removed.whole
    for key, value in network.body.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0)
