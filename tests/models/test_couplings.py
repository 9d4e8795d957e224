"""Couplings: what is masked is zero, what is removed changes nothing, what cannot go is refused openly."""

import copy

import pytest
import timm
import torch
import torchvision
from torch import nn

from robust_tickets.models.channels import Port
from robust_tickets.models.couplings import trace_channels, trace_couplings
from robust_tickets.models.proofs import relative_difference
from robust_tickets.models.surgery import cut_channels, mask_channels

TABLE = [
    # network, input side, weights covered by couplings, weights less the head; weight -> why it is refused
    ("torchvision/resnet18", 32, 20, 20, {}),
    ("torchvision/resnet50", 32, 53, 53, {}),
    ("torchvision/resnext50_32x4d", 32, 53, 53, {}),
    ("torchvision/densenet121", 32, 120, 120, {}),
    ("torchvision/googlenet", 32, 57, 63, {"aux1.fc1.weight": "is not called as a layer"}),
    ("torchvision/mobilenet_v2", 32, 52, 52, {}),
    ("torchvision/mobilenet_v3_small", 32, 53, 53, {}),
    ("torchvision/efficientnet_b0", 32, 81, 81, {}),
    ("torchvision/squeezenet1_1", 48, 25, 25, {}),
    ("torchvision/regnet_y_400mf", 32, 85, 85, {}),
    ("timm/ghostnet_100", 32, 95, 95, {}),
    ("torchvision/shufflenet_v2_x0_5", 32, 46, 56, {"stage3.0.branch1.2.weight": "is one inseparable channel"}),
    ("narrow vgg", 32, 10, 10, {}),
    # Layer norms read whole streams, so only the hidden neurons of the blocks can go.
    ("timm/convnext_atto", 32, 12, 40, {"stem.0.weight": "passes a layer norm (stem.1)"}),
    ("narrow swin", 56, 4, 18, {"features.1.0.attn.qkv.weight": "is not called as a layer"}),
    # Heads go, whose queries, keys and values come from one layer.
    ("short vit", 32, 4, 9, {"patch_embed.proj.weight": "passes a layer norm (blocks.0.norm1)"}),
]


def build(name: str) -> tuple[nn.Module, list[str]]:
    """Build a network in which every parameter and statistic matters, and name its weights less the head."""
    torch.manual_seed(0)
    library, _, model = name.partition("/")
    if library == "timm":
        body = timm.create_model(model, pretrained=False)
    elif library == "torchvision":
        options = {"init_weights": False} if model == "googlenet" else {}
        body = torchvision.models.get_model(model, weights=None, **options)
    else:
        body = NARROW[name]()
    randomise(body)
    layers = (nn.Conv2d, nn.Linear)
    weights = [f"{path}.weight" for path, layer in body.named_modules() if isinstance(layer, layers)]
    return body.eval(), weights[:-1]


def narrow_vgg() -> nn.Module:
    plan: list[str | int] = [8, "M", 16, "M", 24, 24, "M", 32, 32, "M", 32, 32, "M"]
    features = torchvision.models.vgg.make_layers(plan, batch_norm=True)
    classifier = [
        nn.Linear(32 * 4, 40),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(40, 40),
        nn.ReLU(),
        nn.Linear(40, 10),
    ]
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(2), nn.Flatten(), *classifier)


NARROW = {
    "narrow vgg": narrow_vgg,
    "narrow swin": lambda: torchvision.models.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [7, 7]),
    "short vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2),
}


def randomise(body: nn.Module) -> None:
    """Make every bias, scale, shift and statistic matter, whatever the library's initialisation."""
    with torch.no_grad():
        for name, tensor in [*body.named_parameters(), *body.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.3)
            elif name.endswith("running_var") or (tensor.dim() == 1 and tensor.is_floating_point()):
                tensor.uniform_(0.5, 2.0)


@pytest.mark.parametrize(("name", "side", "covered", "prunable", "refused"), TABLE)
@torch.no_grad()
def test_masked_channels_are_zero_and_their_removal_is_exact(name, side, covered, prunable, refused):
    body, weights = build(name)
    assert len(weights) == prunable
    trace = trace_channels(body, torch.zeros(1, 3, side, side), weights)
    producers = [member.parameter for coupling in trace.couplings for member in coupling.producers]
    assert len(set(producers)) == covered
    reasons = {refusal.name: refusal.reason for refusal in trace.refusals}
    for weight, reason in refused.items():
        assert reason in reasons[weight]
        assert weight not in producers

    dead = {c.name: torch.rand(c.channels) < 0.5 for c in trace.couplings}
    for flags in dead.values():
        flags[0] = False
    for coupling in trace.couplings:
        mask_channels(body, coupling, dead[coupling.name])

    loud: list[str] = []

    def listen(path: str, dim: int, positions: torch.Tensor) -> None:
        def hook(module, inputs, output):
            if output.index_select(dim, positions).any():
                loud.append(path)

        body.get_submodule(path).register_forward_hook(hook)

    for coupling in trace.couplings:
        for member in (*coupling.producers, *coupling.followers):
            path = member.parameter.rpartition(".")[0]
            dim = -1 if isinstance(body.get_submodule(path), nn.Linear) else 1
            listen(path, dim, member.index[dead[coupling.name]].flatten())

    images = torch.randn(2, 3, side, side)
    shrunk = copy.deepcopy(body)
    for module in shrunk.modules():
        module._forward_hooks.clear()
    masked_logits = body(images)
    assert loud == []

    cut_channels(shrunk, trace.sets, dead)
    before, after = (sum(p.numel() for p in network.parameters()) for network in (body, shrunk))
    assert after < before
    assert relative_difference(shrunk(images), masked_logits) < 1e-5


def test_an_exempt_stem_holds_back_the_stream_it_writes_to():
    body, weights = build("torchvision/resnet18")
    trace = trace_channels(body, torch.zeros(1, 3, 32, 32), [w for w in weights if w != "conv1.weight"])
    refusal = next(refusal for refusal in trace.refusals if refusal.name == "conv1.weight")
    assert refusal.reason == "needs conv1.weight, exempt from pruning"
    producers = {member.parameter for c in trace.couplings for member in c.producers}
    assert "layer1.0.conv2.weight" not in producers
    assert "layer1.0.conv1.weight" in producers


def test_the_head_reaches_the_output():
    body, weights = build("torchvision/resnet18")
    trace = trace_channels(body, torch.zeros(1, 3, 32, 32), [*weights, "fc.weight"])
    assert {r.name: r.reason for r in trace.refusals} == {"fc.weight": "reaches the output of the network"}


def test_residual_streams_tie_producers_to_their_norms():
    body, weights = build("torchvision/resnet18")
    stream = next(c for c in trace_couplings(body, torch.zeros(1, 3, 32, 32), weights) if c.name == "conv1.weight")
    assert [m.parameter for m in stream.producers] == [
        "conv1.weight",
        "layer1.0.conv2.weight",
        "layer1.1.conv2.weight",
    ]
    assert [m.parameter for m in stream.followers] == [
        f"{norm}.{part}" for norm in ("bn1", "layer1.0.bn2", "layer1.1.bn2") for part in ("weight", "bias")
    ]


def test_groups_of_a_group_norm_go_as_a_whole():
    body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
    (coupling,) = trace_couplings(body, torch.zeros(1, 3, 8, 8), ["0.weight"])
    assert coupling.channels == 4
    assert {m.parameter: m.index.tolist()[1] for m in coupling.followers}["1.bias"] == [2, 3]


def test_groups_of_a_convolution_go_as_a_whole():
    body = nn.Sequential(
        nn.Conv2d(3, 12, 1),
        nn.ReLU(),
        nn.Conv2d(12, 8, 3, groups=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 36, 2),
    )
    (inner,) = trace_couplings(body, torch.zeros(1, 3, 8, 8), ["0.weight", "2.weight"])
    assert inner.channels == 4
    assert {m.parameter: m.index.shape for m in inner.producers} == {"0.weight": (4, 3), "2.weight": (4, 2)}


def test_a_flattened_channel_reads_as_many_inputs_as_it_has_pixels():
    body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 5), nn.ReLU(), nn.Linear(5, 2))
    trace = trace_channels(body, torch.zeros(1, 3, 8, 8), ["0.weight", "3.weight"])
    assert trace.sets["0.weight"].positions[Port("3", "in")].shape == (6, 36)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softplus(), nn.Hardsigmoid()])
def test_an_activation_that_is_not_zero_at_zero_is_refused(activation):
    body = nn.Sequential(nn.Conv2d(3, 6, 3), activation, nn.Conv2d(6, 6, 3), nn.Flatten(), nn.Linear(6 * 16, 2))
    trace = trace_channels(body, torch.zeros(1, 3, 8, 8), ["0.weight", "2.weight"])
    assert {refusal.name for refusal in trace.refusals} == {"0.weight"}
    assert "is not zero where 2 reads it" in trace.refusals[0].reason


def test_couplings_hidden_by_zeros_are_still_seen():
    """A network initialised with zero scales (as residual networks often are) is traced as after training."""
    body, weights = build("torchvision/resnet18")
    expected = [c.name for c in trace_couplings(body, torch.zeros(1, 3, 32, 32), weights)]
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.zero_()
    body.train()
    assert [c.name for c in trace_couplings(body, torch.zeros(1, 3, 32, 32), weights)] == expected
    assert body.training
    assert not any(parameter.any() for parameter in body.parameters())
