"""Prunable weights are chosen by module type; exemptions are explicit and checked."""

import pytest
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.prunable import Prunable
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source

COLOUR = Pixels(mean=(0.0,) * 3, std=(1.0,) * 3, size=(32, 32))


def random(name: str) -> Network:
    return load_source(SourceSettings(name=name, weights="random")).network


def test_convolutions_in_network_order_without_norms_biases_and_head() -> None:
    names = prunable_weights(random("cifar/resnet8-b"))
    assert names == (
        "conv1.weight",
        "layer1.0.conv1.weight",
        "layer1.0.conv2.weight",
        "layer2.0.conv1.weight",
        "layer2.0.conv2.weight",
        "layer2.0.shortcut.0.weight",
        "layer3.0.conv1.weight",
        "layer3.0.conv2.weight",
        "layer3.0.shortcut.0.weight",
    )


def test_head_and_stem_are_settings() -> None:
    classifier = random("cifar/resnet20")
    default = prunable_weights(classifier)
    assert prunable_weights(classifier, Prunable(include_head=True)) == (*default, "linear.weight")
    assert prunable_weights(classifier, Prunable(include_stem=False)) == default[1:]


def test_attention_projections_are_prunable_and_embeddings_are_not() -> None:
    names = prunable_weights(random("torchvision/vit_b_32"))
    layer = "encoder.layers.encoder_layer_0"
    assert f"{layer}.self_attention.in_proj_weight" in names
    assert f"{layer}.self_attention.out_proj.weight" in names
    assert f"{layer}.mlp.0.weight" in names
    assert names[0] == "conv_proj.weight"
    assert not [name for name in names if "embedding" in name or ".ln" in name or "bias" in name]
    assert "conv_proj.weight" not in prunable_weights(random("torchvision/vit_b_32"), Prunable(include_stem=False))


def test_a_layer_is_never_exempt_by_what_its_name_contains() -> None:
    body = nn.Sequential()
    body.add_module("bn_norm_embed", nn.Conv2d(3, 4, 3))
    body.add_module("flatten", nn.Flatten())
    body.add_module("fc_first", nn.Linear(4, 4))
    body.add_module("out", nn.Linear(4, 2))
    assert prunable_weights(Network(body, COLOUR, "out")) == ("bn_norm_embed.weight", "fc_first.weight")


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("cifar/resnet8-b", "layer2.0.shortcut.1.weight"),
        ("torchvision/resnet18", "layer2.0.downsample.1.weight"),
        ("timm/resnet18", "layer2.0.downsample.1.weight"),
    ],
)
def test_norms_of_shortcuts_are_never_pruned_whatever_they_are_called(name: str, norm: str) -> None:
    """Mehta's code exempts what has `bn` in its name, and so prunes the scales of the norms behind shortcuts."""
    network = random(name)
    everything = prunable_weights(network, Prunable(include_head=True))
    assert norm in dict(network.body.named_parameters())
    assert norm.replace(".1.", ".0.") in everything
    norms = {
        f"{path}.{leaf}"
        for path, module in network.body.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for leaf in ("weight", "bias")
    }
    assert norm in norms
    assert not norms & set(everything)


def test_a_shared_weight_counts_once() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    body = nn.Sequential(nn.Flatten(), nn.Linear(48, 4), first, second, nn.Linear(4, 2))
    assert prunable_weights(Network(body, COLOUR, "4")) == ("1.weight", "2.weight")


def test_patterns_exempt_by_full_name() -> None:
    classifier = random("small/resnet18-x0.25")
    names = prunable_weights(classifier, Prunable(exempt=("*.downsample.0.weight", "layer4.*")))
    assert names
    assert not [name for name in names if "downsample" in name or name.startswith("layer4")]


def test_depthwise_convolutions_stay_dense_on_request_whatever_they_are_called() -> None:
    classifier = random("torchvision/mobilenet_v3_small")
    convolutions = {name: m for name, m in classifier.body.named_modules() if isinstance(m, nn.Conv2d)}
    depthwise = {f"{name}.weight" for name, m in convolutions.items() if m.groups == m.in_channels > 1}
    assert len(depthwise) == 11
    everything = prunable_weights(classifier)
    assert prunable_weights(classifier, Prunable(include_depthwise=False)) == tuple(
        name for name in everything if name not in depthwise
    )
    assert prunable_weights(random("cifar/resnet20"), Prunable(include_depthwise=False)) == prunable_weights(
        random("cifar/resnet20")
    )


def test_a_pattern_that_matches_nothing_is_refused_with_near_names() -> None:
    with pytest.raises(UserError, match=r"'layer1.0.conv3.weight' matches no prunable weight; similar: layer1"):
        prunable_weights(random("cifar/resnet20"), Prunable(exempt=("layer1.0.conv3.weight",)))
    with pytest.raises(UserError, match=r"'\*.bn1.weight' matches no prunable weight"):
        prunable_weights(random("cifar/resnet20"), Prunable(exempt=("*.bn1.weight",)))
    with pytest.raises(UserError, match="nothing is left to prune"):
        prunable_weights(random("cifar/resnet20"), Prunable(exempt=("*",)))
