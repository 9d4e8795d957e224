"""SNIP, GraSP and SynFlow against the derivatives and laws that define them, weight by weight."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.sources import load_source
from robust_tickets.pruning.masks import Masks, emptied
from robust_tickets.pruning.scores import Grasp, Score, Snip, Synflow
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import OneShot
from robust_tickets.tasks.classification import CrossEntropy
from robust_tickets.training.batch_source import FeatureBatches
from robust_tickets.training.statistics import TrainingStatistics

EXAMPLES = 40


@pytest.fixture
def smooth() -> nn.Sequential:
    """Two layers of a smooth function, so that second derivatives exist everywhere."""
    with global_stream(0, "smooth"):
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.fixture
def examples() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(EXAMPLES, 6, generator=random), torch.randint(3, (EXAMPLES,), generator=random)


def statistics_of(network: nn.Module, examples: tuple[Tensor, Tensor]) -> TrainingStatistics:
    names = tuple(name for name, weight in network.named_parameters() if weight.dim() > 1)
    batches = FeatureBatches(examples, None, EXAMPLES, 0)
    return TrainingStatistics(network, network, names, dict, batches, CrossEntropy(0.0))


def scored(score: Score, statistics: TrainingStatistics, group: str = "element") -> dict[str, Tensor]:
    weights = dict(zip(statistics.names, statistics.weights, strict=True))
    partition = Selection.model_validate({"group": group, "scope": "layer"}).group.partition(weights, None, ())
    return score.group_scores(weights, partition, statistics, 0)


def squared_gradient(network: nn.Module, examples: tuple[Tensor, Tensor], values: dict[str, Tensor]) -> Tensor:
    """Return gT g over the weights (not the biases) at other weights, in float64."""
    values = {name: value.detach().requires_grad_(True) for name, value in values.items()}
    logits = functional_call(copy.deepcopy(network).double(), values, (examples[0].double(),))
    found = torch.autograd.grad(nn.functional.cross_entropy(logits, examples[1]), list(values.values()))
    return torch.stack([(one**2).sum() for one in found]).sum()


def without(network: nn.Module, names: tuple[str, ...], chosen: str, place: int, share: float) -> dict[str, Tensor]:
    """Return the weights in float64, of which one has lost a share of itself."""
    values = {name: network.get_parameter(name).detach().double().clone() for name in names}
    values[chosen].view(-1)[place] *= 1 - share
    return values


def test_snip_is_the_derivative_by_a_factor_before_each_weight(
    smooth: nn.Sequential, examples: tuple[Tensor, Tensor]
) -> None:
    statistics = statistics_of(smooth, examples)
    found = scored(Snip(examples=EXAMPLES), statistics)
    factors = {name: torch.ones_like(weight) for name, weight in zip(statistics.names, statistics.weights, strict=True)}
    values = {name: smooth.get_parameter(name) * factor.requires_grad_(True) for name, factor in factors.items()}
    loss = nn.functional.cross_entropy(functional_call(smooth, values, (examples[0],)), examples[1])
    exact = torch.autograd.grad(loss, list(factors.values()))
    for name, one in zip(factors, exact, strict=True):
        assert torch.allclose(found[name], one.abs().flatten(), rtol=1e-4, atol=1e-7)


def test_grasp_is_what_the_squared_gradient_loses_as_each_weight_goes(
    smooth: nn.Sequential, examples: tuple[Tensor, Tensor]
) -> None:
    """By finite differences: as a share e of weight q goes, gT g falls by 2 e times the score, to first order."""
    statistics = statistics_of(smooth, examples)
    found, share = scored(Grasp(examples=EXAMPLES), statistics), 1e-4
    lost: dict[str, Tensor] = {}
    for name in statistics.names:
        lost[name] = torch.stack([
            squared_gradient(smooth, examples, without(smooth, statistics.names, name, place, -share))
            - squared_gradient(smooth, examples, without(smooth, statistics.names, name, place, share))
            for place in range(smooth.get_parameter(name).numel())
        ]) / (4 * share)  # fmt: skip
        assert torch.allclose(found[name].double(), lost[name], rtol=1e-3, atol=1e-7)
    assert all(bool((one > 0).any()) and bool((one < 0).any()) for one in found.values()), "scores are signed"
    everywhere, exact = (torch.cat([part[name] for name in statistics.names]) for part in (found, lost))
    assert torch.equal(everywhere.argsort(), exact.argsort())


def test_grasp_keeps_a_larger_gradient_than_any_other_sign(
    smooth: nn.Sequential, examples: tuple[Tensor, Tensor]
) -> None:
    """What it removes first lets the gradient grow; what it keeps, if removed, would have it shrink."""
    statistics = statistics_of(smooth, examples)
    names = statistics.names
    scores = scored(Grasp(examples=EXAMPLES), statistics)
    flat = torch.cat([scores[name] for name in names])
    before = squared_gradient(smooth, examples, without(smooth, names, names[0], 0, 0.0))

    def left(gone: Tensor) -> float:
        values = without(smooth, names, names[0], 0, 0.0)
        for part, name in zip(gone.split([len(scores[name]) for name in names]), names, strict=True):
            values[name].view(-1)[part] *= 0.9
        return float(squared_gradient(smooth, examples, values) / before)

    few = len(flat) // 5
    lowest, smallest, highest = (
        torch.zeros(len(flat), dtype=torch.bool).index_fill_(0, order[:few], True)
        for order in (flat.argsort(), flat.abs().argsort(), flat.argsort(descending=True))
    )
    assert left(lowest) > 1 > left(highest)
    assert left(lowest) > left(smallest)


def test_a_group_loses_as_much_as_its_weights_together(smooth: nn.Sequential, examples: tuple[Tensor, Tensor]) -> None:
    """Signed changes add up, so a filter's score is their mean; a norm would forget which way they go."""
    statistics = statistics_of(smooth, examples)
    alone, rows = (scored(Grasp(examples=EXAMPLES), statistics, group) for group in ("element", "filter"))
    for name in statistics.names:
        shape = smooth.get_parameter(name).shape
        assert torch.allclose(rows[name], alone[name].double().reshape(shape).mean(1))


def test_what_an_earlier_round_removed_has_no_part_in_the_gradient(
    smooth: nn.Sequential, examples: tuple[Tensor, Tensor]
) -> None:
    with torch.no_grad():
        smooth[0].get_parameter("weight")[:, :3] = 0
    statistics = statistics_of(smooth, examples)
    found = scored(Grasp(examples=EXAMPLES), statistics)
    inner = copy.deepcopy(smooth)
    inner[0] = nn.Linear(3, 5)
    inner[0].load_state_dict({"weight": smooth[0].get_parameter("weight")[:, 3:], "bias": smooth[0].bias})
    there = scored(Grasp(examples=EXAMPLES), statistics_of(inner, (examples[0][:, 3:], examples[1])))
    assert torch.allclose(found["0.weight"].reshape(5, 6)[:, 3:], there["0.weight"].reshape(5, 3), atol=1e-6)
    assert not found["0.weight"].reshape(5, 6)[:, :3].any()


@pytest.fixture(scope="module")
def interface() -> Interface:
    return load_source("demo/resnet4", weights="random", num_classes=10, in_channels=1).network.interface


def chain(interface: Interface, width: int = 12, depth: int = 4, kernel: int = 3) -> TrainingStatistics:
    """A plain network of convolutions with batch norms of every scale and shift, pooling, and a linear head."""
    layers: list[nn.Module] = []
    with global_stream(0, "chain"):
        for number in range(depth):
            channels = (1 if not number else width * number, width * (number + 1))
            norm = nn.BatchNorm2d(channels[1])
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            layers += [nn.Conv2d(*channels, kernel, padding=kernel // 2), norm, nn.ReLU()]
        layers += [nn.AvgPool2d(4), nn.Flatten(), nn.LazyLinear(10)]
        body = nn.Sequential(*layers)
        body(interface.example(1))
    network = Network(body, interface, str(len(body) - 1))
    names = tuple(name for name, weight in body.named_parameters() if weight.dim() > 1)
    return TrainingStatistics(network, body, names, dict, None, CrossEntropy(0.0))


def test_every_layer_of_a_chain_passes_the_same_flow(interface: Interface) -> None:
    found = scored(Synflow(), chain(interface))
    sums = [float(one.sum()) for one in found.values()]
    assert len(sums) == 5
    assert sums == pytest.approx([sums[0]] * 5)
    assert all(float(one.min()) >= 0 for one in found.values())


def test_what_comes_into_a_unit_goes_out(interface: Interface) -> None:
    """The law of every hidden unit (Tanaka et al., theorem 1), here of channels between two convolutions."""
    statistics = chain(interface)
    found = scored(Synflow(), statistics)
    for before, after in pairwise(statistics.names[:-1]):
        shapes = [statistics.body.get_parameter(name).shape for name in (before, after)]
        incoming = found[before].reshape(shapes[0]).flatten(1).sum(1)
        outgoing = found[after].reshape(shapes[1]).sum((0, 2, 3))
        assert torch.allclose(incoming, outgoing)


def pruned(statistics: TrainingStatistics, sparsity: float, rounds: int) -> Masks:
    """Return the masks after the prunes of a one-shot timeline, each applied before the next one is decided."""
    masks: Masks | None = None
    weights = dict(zip(statistics.names, statistics.weights, strict=True))
    for now in OneShot(rounds=rounds).plan(sparsity, 1).targets:
        masks = Selection(score=Synflow()).select(weights, sparsity=now, masks=masks, statistics=statistics)
        with torch.no_grad():
            for name, weight in weights.items():
                weight *= masks[name]
    assert masks is not None
    return masks


def test_no_layer_collapses_at_an_extreme_sparsity_in_a_hundred_rounds(interface: Interface) -> None:
    """Of a few weights for each layer none keeps all: maximal critical compression (Tanaka et al., section 3)."""
    total = sum(weight.numel() for weight in chain(interface).weights)
    sparsity = 1 - 4 * 5 / total
    assert emptied(pruned(chain(interface), sparsity, 1)) != ()
    masks = pruned(chain(interface), sparsity, 100)
    assert sum(int(mask.sum()) for mask in masks.values()) == 4 * 5
    assert emptied(masks) == ()


def test_deep_networks_have_finite_scores_all_the_way(interface: Interface) -> None:
    statistics = chain(interface, width=1, depth=60)
    masks = pruned(statistics, 0.999, 20)
    assert emptied(masks) == ()
    found = scored(Synflow(), statistics)
    assert all(bool(one.isfinite().all()) for one in found.values())
    assert sum(bool((found[name] > 0).any()) for name in found) == len(found), "there is still a path"
