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


class Plain(nn.Module):
    """Two convolutions without a norm; the hidden one is as wide as asked."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, width, 3, padding=1)
        self.two = nn.Conv2d(width, 8, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.two(self.one(images).relu()).mean((2, 3))


@pytest.mark.parametrize(
    ("width", "dead", "left", "multiple"),
    [
        (64, 20, 48, 8),  # up to the next multiple
        (64, 3, 64, 8),  # a wide set never ends at a count that vectors do not like
        (64, 6, 60, 4),  # where 8 gives back everything, 4 does not
        (16, 3, 16, 8),  # 13 of 16: neither
        (16, 4, 12, 4),
        (12, 4, 8, 8),
        (12, 2, 10, 2),  # of narrow sets whatever removes anything
        (6, 3, 4, 4),
        (4, 1, 3, 1),
        (4, 4, 2, 2),
        (2, 2, 1, 1),  # one channel stays
    ],
)
def test_rounding_gives_way_where_it_would_give_back_everything(width, dead, left, multiple):
    torch.manual_seed(0)
    body = Plain(width)
    with torch.no_grad():
        body.one.weight[:dead] = 0
        body.one.bias[:dead] = 0
    removal = remove_channels(body, {}, example(), round_to=8)
    assert removal.body.one.out_channels == left
    assert removal.counts.channels_removed == width - left
    assert removal.counts.channels_kept == min(dead, width - 1) - (width - left)
    assert removal.counts.multiple == multiple
    exact = remove_channels(body, {}, example()).counts
    assert (exact.channels_removed, exact.channels_kept) == (min(dead, width - 1), 0)


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
