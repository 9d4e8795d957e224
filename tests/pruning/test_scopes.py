import pytest
import torch

from robust_tickets.pruning.masks import layer_sparsity
from robust_tickets.pruning.select import select


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
