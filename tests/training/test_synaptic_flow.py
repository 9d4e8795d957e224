"""The flow through every parameter: what scales of norms pass, that biases pass nothing, and weights by brute force."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.networks.deep_decoder import DeepDecoder
from robust_tickets.models.networks.unet_prior import UnetLayer, UnetPrior
from robust_tickets.training.synaptic_flow import synaptic_flow


def shaken(body: nn.Module) -> nn.Module:
    """Return the network with every parameter away from its usual 0 or 1, of both signs."""
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            chance = torch.Generator().manual_seed(sum(map(ord, name)))
            parameter.copy_(torch.randn(parameter.shape, generator=chance) / parameter[0].numel() ** 0.5)
    return body


def chain() -> nn.Sequential:
    """Two convolutions with norms of two kinds, and a head; input [N, 2, 5, 4]."""
    body = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3),
        nn.GroupNorm(2, 4),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 2, 3),
    )
    shaken(body)
    return body


def by_hand(body: nn.Sequential, scales: bool) -> Tensor:
    """Return the sum of the chain's outputs for inputs of ones, all parameters positive, without biases."""
    first, norm, second, other, head = (body[index].get_parameter("weight").double().abs() for index in (0, 1, 3, 4, 7))
    x = nn.functional.conv2d(torch.ones(1, 2, 5, 4, dtype=torch.float64), first, padding=1)
    x = nn.functional.conv2d(x * norm.view(-1, 1, 1) if scales else x, second)
    return (x * other.view(-1, 1, 1) if scales else x).flatten(1).matmul(head.T).sum()


def flow(body: nn.Module, example: Tensor, names: tuple[str, ...] | None = None) -> dict[str, Tensor]:
    """Return |w| dR/d|w| of every parameter, or of those named."""
    names = names if names is not None else tuple(name for name, _ in body.named_parameters())
    found = synaptic_flow(body, example, names)
    assert tuple(found) == names
    return {name: one * body.get_parameter(name).detach().double().abs() for name, one in found.items()}


@pytest.mark.parametrize("scales", [True, False])
def test_a_parameter_passes_what_is_lost_without_it(scales: bool) -> None:
    """No path leads through a parameter twice, so that its share of all that flows is what its removal takes away."""
    body = chain()
    names = ("0.weight", "1.weight", "3.weight", "4.weight", "7.weight")
    names = names if scales else (names[0], names[2], names[4])
    found = flow(body, torch.zeros(1, 2, 5, 4), names)
    total = by_hand(body, scales)
    # Outputs are known up to a factor that all share; every layer alone passes everything.
    unit = total / found["7.weight"].sum()
    for name in names:
        for place in range(body.get_parameter(name).numel()):
            without = copy.deepcopy(body)
            with torch.no_grad():
                without.get_parameter(name).view(-1)[place] = 0
            lost = total - by_hand(without, scales)
            torch.testing.assert_close(found[name].flatten()[place] * unit, lost.detach(), rtol=1e-6, atol=1e-12)


def test_a_classifiers_flow_does_not_see_the_scales_of_its_norms() -> None:
    """As long as these are not prunable, which they are by default not."""
    body, example = chain(), torch.zeros(1, 2, 5, 4)
    convolutions = ("0.weight", "3.weight", "7.weight")
    before = flow(body, example, convolutions)
    with torch.no_grad():
        body.get_parameter("1.weight").mul_(3)
        body.get_parameter("4.weight").zero_()
    after = flow(body, example, convolutions)
    assert all(torch.equal(one, after[name]) for name, one in before.items())
    everything = flow(body, example)
    assert not any(bool(everything[name].any()) for name in convolutions), "with its scales nothing comes through"


def test_no_path_leads_through_a_bias() -> None:
    body = chain()
    with torch.no_grad():
        for index in (0, 1, 3, 4, 7):
            body[index].get_parameter("bias").fill_(100)
    found = flow(body, torch.zeros(1, 2, 5, 4))
    biases = [name for name in found if name.endswith("bias")]
    assert len(biases) == 5
    for name in biases:
        assert found[name].shape == body.get_parameter(name).shape
        assert not bool(found[name].any())
    alone = flow(body, torch.zeros(1, 2, 5, 4), tuple(name for name in found if name not in biases))
    assert all(torch.equal(one, found[name]) for name, one in alone.items())


@pytest.mark.parametrize("size", [(9, 9), (12, 11)])
def test_a_norm_passes_what_the_convolution_before_it_passes(size: tuple[int, int]) -> None:
    """The law of every channel (Tanaka et al., theorem 1): what comes in goes out, scales of norms between."""
    body = shaken(UnetPrior((4, 6), 3))
    found = flow(body, torch.zeros(1, 32, *size))
    layers = [path for path, module in body.named_modules() if isinstance(module, UnetLayer)]
    assert len(layers) == 6
    for path in layers:
        into, scale = found[f"{path}.conv.weight"].flatten(1).sum(1), found[f"{path}.norm.weight"]
        assert bool((scale > 0).all())
        torch.testing.assert_close(into, scale, rtol=1e-6, atol=0)
    sums = torch.stack([found[f"{path}.norm.weight"].sum() for path in (*layers, "levels", "levels.below")])
    torch.testing.assert_close(sums, found["output.weight"].sum().expand(len(sums)), rtol=1e-6, atol=0)
    assert not any(bool(one.any()) for name, one in found.items() if name.endswith("bias"))


def test_so_it_is_where_a_norm_comes_after_an_enlargement() -> None:
    body = shaken(DeepDecoder(2, 5, 3))
    found = flow(body, torch.zeros(1, 5, 3, 4))
    for index in range(3):
        into = found[f"layers.{index}.conv.weight"].flatten(1).sum(1)
        torch.testing.assert_close(into, found[f"layers.{index}.norm.weight"], rtol=1e-6, atol=0)


def test_and_where_channels_come_last() -> None:
    """Layer norms of ConvNeXt, some of which have their channels first."""
    with global_stream(0, "convnext"):
        body = shaken(ConvNeXt([CNBlockConfig(6, 10, 1), CNBlockConfig(10, None, 1)], num_classes=4)).eval()
    found = flow(body, torch.zeros(1, 3, 32, 32))
    for before, after in (
        ("features.0.0", "features.0.1"),
        ("features.1.0.block.0", "features.1.0.block.2"),
        ("features.3.0.block.0", "features.3.0.block.2"),
    ):
        into = found[f"{before}.weight"].flatten(1).sum(1)
        assert bool((into > 0).all())
        torch.testing.assert_close(into, found[f"{after}.weight"], rtol=1e-6, atol=0)
    rows = found["classifier.2.weight"]
    torch.testing.assert_close(found["classifier.0.weight"], rows.sum(0), rtol=1e-6, atol=0)
