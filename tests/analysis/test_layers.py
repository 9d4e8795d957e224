"""Counts of what a mask leaves of a layer."""

import math

import torch

from robust_tickets.analysis.layers import LayerCounts, layer_counts


def test_hand_counted_kernels_and_filters() -> None:
    mask = torch.zeros(3, 2, 2, 2, dtype=torch.bool)
    mask[0, 0, 1, 1] = mask[0, 1] = mask[1, 1, 0, 0] = True  # filter 2 is gone, and kernel (1, 0)
    counts = LayerCounts.of(mask)
    assert (counts.weights, counts.kept) == (24, 6)
    assert (counts.kernels, counts.zero_kernels) == (6, 3)
    assert (counts.outputs, counts.zero_outputs) == (3, 1)
    assert counts.sparsity == 0.75
    assert (counts.zero_kernel_share, counts.zero_output_share) == (1 / 2, 1 / 3)


def test_linear_layers_have_neurons_and_no_kernels() -> None:
    counts = LayerCounts.of(torch.tensor([[True, False], [False, False], [True, True]]))
    assert (counts.kernels, counts.outputs, counts.zero_outputs) == (0, 3, 1)
    assert math.isnan(counts.zero_kernel_share)


def test_layers_add_up_in_order() -> None:
    masks = {"b": torch.ones(2, 3, 1, 1, dtype=torch.bool), "a": torch.zeros(4, 5, dtype=torch.bool)}
    layers = layer_counts(masks)
    assert list(layers) == ["b", "a"]
    total = LayerCounts.total(layers.values())
    assert total == LayerCounts(weights=26, kept=6, outputs=6, zero_outputs=4, kernels=6, zero_kernels=0)
