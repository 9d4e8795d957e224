import pytest
import torch
from pydantic import ValidationError
from torchvision.models import resnet50

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.couplings import Coupling, Member
from robust_tickets.pruning.groups import Element
from robust_tickets.pruning.masks import layer_sparsity
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes import ErkScope, GlobalScope
from robust_tickets.pruning.select import Selection, select
from robust_tickets.pruning.statistics import Statistics


def test_erk_densities_are_proportional_to_the_sum_over_the_product_of_the_shape() -> None:
    weights = {"a": torch.randn(64, 32, 3, 3), "b": torch.randn(128, 64, 3, 3), "c": torch.randn(100, 128)}
    masks = select(weights, score="random", group="element", scope="erk", sparsity=0.9)
    density = {name: 1 - value for name, value in layer_sparsity(masks).items()}
    share = {name: sum(w.shape) / w.numel() for name, w in weights.items()}
    ratios = [density[name] / share[name] for name in weights]
    assert ratios == pytest.approx([ratios[0]] * 3, rel=2e-3)


def test_erk_keeps_small_layers_dense_and_makes_up_for_it_elsewhere() -> None:
    weights = {"small": torch.randn(4, 4), "large": torch.randn(200, 200)}
    masks = select(weights, score="random", group="element", scope="erk", sparsity=0.5)
    assert masks["small"].all()
    assert sum(int((~mask).sum()) for mask in masks.values()) == 20_008


def test_layer_scope_gives_every_layer_the_same_sparsity_and_global_does_not() -> None:
    weights = {"a": torch.rand(10, 10), "b": torch.rand(10, 10) + 10}
    by_layer = select(weights, score="magnitude", group="element", scope="layer", sparsity=0.3)
    everywhere = select(weights, score="magnitude", group="element", scope="global", sparsity=0.3)
    assert layer_sparsity(by_layer) == pytest.approx({"a": 0.3, "b": 0.3})
    assert layer_sparsity(everywhere) == pytest.approx({"a": 0.6, "b": 0.0})


class Multiplied(Statistics):
    """Says how often weights are multiplied."""

    def __init__(self, times: dict[str, float]) -> None:
        self.times = times

    def multiplications(self) -> dict[str, float]:
        return self.times


@pytest.mark.parametrize("group", ["element", {"kind": "block", "out": 2}])
def test_magnitudes_per_multiply_add_keep_most_of_the_squares_that_so_many_multiply_adds_can_keep(group) -> None:
    """A knapsack: by squared mean size per multiply-add, no other choice of as many multiply-adds keeps more."""
    times = {"early": 16.0, "middle": 4.0, "late": 1.0}
    chance = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(4, 3, generator=chance) for name in times}
    selection = Selection.model_validate({"group": group, "scope": {"kind": "global", "cost": 0.5}})
    masks = selection.select(weights, sparsity=0.5, statistics=Multiplied(times))
    size = 1 if group == "element" else 2
    groups = [
        (times[name], float(weight[row : row + size, column].abs().mean()) ** 2, bool(masks[name][row, column]))
        for name, weight in weights.items()
        for row in range(0, 4, size)
        for column in range(3)
    ]
    worst_kept = min(square / cost for cost, square, kept in groups if kept)
    best_removed = max(square / cost for cost, square, kept in groups if not kept)
    assert worst_kept >= best_removed
    assert sum(kept for _, _, kept in groups) == len(groups) // 2


def test_what_is_better_gone_goes_first_where_it_costs_most() -> None:
    """GraSP's scores may be negative: removing such a weight is a gain, and more so if it is multiplied often."""
    scope = GlobalScope(cost=1)
    scores = {name: torch.tensor([-1.0, 50.0]) for name in ("early", "late")}
    weighed = scope.weighed(scores, Multiplied({"early": 100.0, "late": 1.0}))
    assert {name: value.tolist() for name, value in weighed.items()} == {"early": [-100, 0.5], "late": [-1, 50]}


def test_without_a_network_nothing_says_what_a_weight_costs() -> None:
    with pytest.raises(UserError, match=r"scope.cost needs a network"):
        select({"a": torch.randn(4, 4)}, score="magnitude", group="element", scope=GlobalScope(cost=1), sparsity=0.5)


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"group": "channel"}, "scope.cost is of groups within a layer, and group 'channel' joins several"),
        ({"score": "learned"}, "score 'learned' has no loss that scope.cost could weigh; leave that out"),
        ({"score": "random"}, "score 'random' has no loss"),
        ({"score": "zeros"}, "score 'zeros' has no loss"),
    ],
)
def test_cost_is_refused_where_it_says_nothing(parts: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Selection.model_validate({"scope": {"kind": "global", "cost": 0.5}, **parts})


def transformer_weights() -> tuple[dict[str, torch.Tensor], tuple[Coupling, ...]]:
    """Two layers of 6 heads, two wide, and of 10 neurons; those of the second layer weigh more."""
    weights, couplings = {}, []
    for layer, size in enumerate((1.0, 100.0)):
        for name, count, wide in ((f"qkv{layer}", 6, 2), (f"fc{layer}", 10, 1)):
            weights[name] = size * (1 + torch.rand(count * wide, 4))
            index = torch.arange(count * wide).reshape(count, wide)
            couplings.append(Coupling(name, count, (Member(name, 0, index),), (), are_heads=name[0] == "q"))
    return weights, tuple(couplings)


def test_each_kind_of_group_competes_with_its_own_and_has_its_own_share() -> None:
    """As EarlyBERT draws: a third of the heads of each layer, 40 % of all neurons wherever they are."""
    weights, couplings = transformer_weights()
    scope = {"kind": "each", "head": {"sparsity": 1 / 3}, "neuron": {"scope": "global"}}
    selection = Selection.model_validate({"group": "several", "scope": scope})
    masks = selection.select(weights, sparsity=0.4, couplings=couplings)
    kept = {coupling.name: int(masks[coupling.name].any(1).sum()) for coupling in couplings}
    assert kept == {"qkv0": 8, "qkv1": 8, "fc0": 2, "fc1": 10}
    assert all(bool((mask.any(1) == mask.all(1)).all()) for mask in masks.values())


def test_without_a_share_of_its_own_a_kind_has_that_of_the_draw() -> None:
    weights, couplings = transformer_weights()
    selection = Selection.model_validate({"group": "several", "scope": "each"})
    masks = selection.select(weights, sparsity=0.5, couplings=couplings)
    kept = {coupling.name: int(masks[coupling.name].any(1).sum()) for coupling in couplings}
    assert kept == {"qkv0": 6, "qkv1": 6, "fc0": 1, "fc1": 9}  # the last neuron of a layer stays
    more = selection.select(weights, sparsity=0.75, couplings=couplings, masks=masks)
    kept = {coupling.name: int(more[coupling.name].any(1).sum()) for coupling in couplings}
    assert kept == {"qkv0": 2, "qkv1": 2, "fc0": 1, "fc1": 4}


def test_kinds_that_are_not_asked_for_stay_whole() -> None:
    weights, couplings = transformer_weights()
    selection = Selection.model_validate({"group": {"kind": "several", "of": ["head"]}, "scope": "each"})
    masks = selection.select(weights, sparsity=0.5, couplings=couplings)
    assert all(masks[name].all() for name in ("fc0", "fc1"))
    assert not any(masks[name].all() for name in ("qkv0", "qkv1"))


@pytest.mark.parametrize(("sparsity", "densest"), [(0.95, 0.7734), (0.99, 0.1547)])
def test_erk_of_resnet50_keeps_no_layer_dense_at_the_sparsities_of_the_papers(sparsity: float, densest: float) -> None:
    """Of all 54 weights, head included, the first 1x1 convolution has the largest share, (64 + 64 + 1 + 1) / 64^2."""
    with torch.device("meta"):
        network = resnet50()
    weights = {name: weight for name, weight in network.named_parameters() if weight.dim() > 1}
    units = Element().partition(weights, None, ()).units
    removed = {pool.units[0]: pool.removed for pool in ErkScope().pools(units, sparsity)}
    density = {name: 1 - removed[name] / weight.numel() for name, weight in weights.items()}
    total, sums = sum(map(torch.numel, weights.values())), sum(sum(weight.shape) for weight in weights.values())
    assert len(weights) == 54
    assert sum(removed.values()) == exact_count(sparsity, total)
    assert max(density, key=density.__getitem__) == "layer1.0.conv1.weight"
    assert density["layer1.0.conv1.weight"] == pytest.approx(densest, abs=5e-4)
    for name, weight in weights.items():
        share = sum(weight.shape) / sums * (total - exact_count(sparsity, total)) / weight.numel()
        assert density[name] == pytest.approx(share, abs=1 / weight.numel()), name
