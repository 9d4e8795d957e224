"""Physical removal: smaller, equal, counted right, and refusing to lie."""

import pytest
import torch
from torch import nn

from robust_tickets.models.proofs import relative_difference
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.shrinking.counts import multiply_adds, nonzero_count, parameter_count
from robust_tickets.shrinking.removal import remove_channels
from tests.shrinking.networks import SIDE, channel_masks, classifier, element_masks, example


def masked(body: nn.Module, masks: dict[str, torch.Tensor]) -> nn.Module:
    MaskApplier(dict(body.named_parameters()), masks).apply_to_weights()
    return body


@torch.no_grad()
def test_the_shrunk_network_is_smaller_and_computes_the_same():
    body = classifier().body
    masks = channel_masks(body, 0.5)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    removal = remove_channels(body, masks, example())
    assert all(torch.equal(before[name], value) for name, value in body.state_dict().items())

    counts = removal.counts
    images = torch.randn(8, 3, SIDE, SIDE)
    assert relative_difference(removal.body(images), masked(body, masks)(images)) < 1e-5
    assert counts.channels_removed == counts.channels_before // 2
    assert counts.parameters_after == parameter_count(removal.body) < 0.4 * counts.parameters_before
    assert counts.multiply_adds_after < 0.4 * counts.multiply_adds_before
    assert nonzero_count(removal.body) == counts.parameters_after


def test_attributes_agree_with_the_smaller_tensors():
    body = remove_channels(classifier().body, channel_masks(classifier().body, 0.5), example()).body
    for layer in body.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.shape[:2] == (layer.out_channels, layer.in_channels // layer.groups)
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.num_features == len(layer.running_mean)
        elif isinstance(layer, nn.Linear):
            assert layer.weight.shape == (layer.out_features, layer.in_features)


def test_the_shrunk_network_can_be_trained_further():
    body = remove_channels(classifier().body, channel_masks(classifier().body, 0.5), example()).body.train()
    body(torch.randn(4, 3, SIDE, SIDE)).sum().backward()
    assert all(parameter.grad is not None for parameter in body.parameters())


@pytest.mark.parametrize("multiple", [4, 8])
def test_channels_are_kept_up_to_a_multiple(multiple):
    body = classifier().body
    masks = channel_masks(body, 0.55)
    exact = remove_channels(body, masks, example()).counts
    rounded = remove_channels(body, masks, example(), round_to=multiple)
    widths = [layer.out_channels for layer in rounded.body.modules() if isinstance(layer, nn.Conv2d)]
    assert all(width % multiple == 0 for width in widths)
    assert exact.parameters_after < rounded.counts.parameters_after < exact.parameters_before


def test_scattered_zeros_remove_nothing():
    body = classifier().body
    counts = remove_channels(body, element_masks(body, 0.9), example()).counts
    assert counts.channels_removed == 0
    assert counts.parameters_after == counts.parameters_before
    assert counts.multiply_adds_after == counts.multiply_adds_before


def test_a_filter_whose_norm_still_shifts_stays():
    """Zero filters alone ("channel-wise" in the papers) are not removable: the shift behind them speaks."""
    body = classifier().body
    masks = {name: mask for name, mask in channel_masks(body, 0.5).items() if body.get_parameter(name).dim() > 1}
    assert remove_channels(body, masks, example()).counts.channels_removed == 0


def test_a_set_never_disappears_entirely():
    body = classifier().body
    removal = remove_channels(body, channel_masks(body, 1.0), example())
    assert removal.counts.channels_removed == removal.counts.channels_before - 4  # one of each set stays
    assert removal.body(torch.randn(2, 3, SIDE, SIDE)).shape == (2, 5)


def test_multiply_adds_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(8 * 16, 10))
    assert multiply_adds(network, torch.zeros(2, 3, 4, 4)) == 3 * 8 * 9 * 16 + 8 * 16 * 10
