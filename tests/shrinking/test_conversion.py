"""Networks become the runtime's operations and compute the same; docs/runtime.md says which do.

The core list runs by default; `pytest -m slow tests/shrinking/test_conversion.py` tries the others.
"""

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.reference import interpret
from robust_tickets.shrinking.conversion import GraphNetwork, convert
from robust_tickets.shrinking.export import onnx_program
from tests.shrinking.runtime_networks import CORE, NAMES, attempt, rows

REGENERATE = "docs/runtime.md is stale; write it anew with: python -m tests.shrinking.runtime_networks"


def cases() -> list:
    return [pytest.param(name, marks=[] if name in CORE else [pytest.mark.slow]) for name in NAMES]


@pytest.mark.parametrize("name", cases())
def test_a_network_runs_and_computes_the_same_or_is_refused_as_the_page_says(name: str) -> None:
    trial = attempt(name)
    assert rows()[name] == trial.cells(name), REGENERATE
    assert trial.difference < 1e-4


def test_the_page_lists_every_network_once_in_order() -> None:
    assert list(rows()) == NAMES, REGENERATE


def classifier(body: nn.Module, side: int = 16) -> rt.Network:
    torch.manual_seed(0)
    preprocessing = rt.Pixels(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), size=(side, side))
    return rt.Network(randomised(body).requires_grad_(False), preprocessing, "head").eval()


@torch.no_grad()
def converted(body: nn.Module, side: int = 16) -> Graph:
    """Convert a network, and hold the interpreter, PyTorch and what it computes itself against each other."""
    network = classifier(body, side)
    graph = convert(network)
    images = torch.rand(3, 3, side, side)
    expected = network(images)
    assert relative_difference(torch.from_numpy(interpret(graph, images.numpy())), expected) < 1e-5
    assert relative_difference(GraphNetwork(graph)(images), expected) < 1e-5
    return graph


class Calling(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Computing(nn.Module):
    """A convolution, something, the mean over pixels and a head."""

    def __init__(self, middle: nn.Module | Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = middle if isinstance(middle, nn.Module) else Calling(middle)
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.middle(self.stem(images)).mean((2, 3)))


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: x * F.relu6(x + 3) / 6, "hardswish"),
        (lambda x: x.mul(F.relu6(x + 3.0).div(6.0)), "hardswish"),
        (lambda x: F.hardtanh(x + 3, 0, 6) * (1 / 6) * x, "hardswish"),
        (lambda x: F.relu6(x + 3) / 6, "hardsigmoid"),
        (lambda x: x * torch.tanh(F.softplus(x)), "mish"),
        (lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)), "gelu"),
        (lambda x: x * (0.5 * (1 + torch.erf(x * 0.70710678))), "gelu"),
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: x.clamp(-1, 1), "clip"),
        (lambda x: F.selu(x), "elu"),
    ],
)
def test_spellings_of_an_activation_become_the_activation(spelling, kind: str) -> None:
    graph = converted(Computing(spelling))
    found = [(node.op, node.attributes.get("kind")) for node in graph.nodes]
    scaled = [("affine", None)] if kind == "elu" else []
    assert found[2:-3] == [("activation", kind), *scaled]


def test_every_norm_behind_a_layer_is_folded_and_its_zeros_stay() -> None:
    body = nn.Sequential()
    body.stem = nn.Conv2d(3, 8, 3, bias=False)
    body.norm = nn.BatchNorm2d(8)
    body.act = nn.ReLU(inplace=True)
    body.drop = nn.Dropout(0.5)
    body.pool = nn.AdaptiveAvgPool2d(1)
    body.flat = nn.Flatten()
    body.hidden = nn.Linear(8, 6)
    body.norm2 = nn.BatchNorm1d(6)
    body.head = nn.Linear(6, 4)
    network = classifier(body)
    network.body.stem.weight[torch.rand(8, 3, 3, 3) < 0.8] = 0
    graph = convert(network)
    assert [node.op for node in graph.nodes] == [
        *("affine", "conv", "activation", "adaptive_avg_pool", "reshape", "linear", "linear")
    ]
    zero = network.body.stem.weight == 0
    assert np.array_equal(graph.weights["stem.weight"].dense() == 0, zero.numpy())
    assert [node.name for node in graph.nodes][1:3] == ["stem", "act"]


def test_a_norm_that_another_layer_reads_past_is_not_folded() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.norm(x)

    assert [node.op for node in converted(Computing(Forked())).nodes].count("affine") == 2


@pytest.mark.parametrize(
    "middle",
    [
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(3, 2, padding=1, dilation=2),
        nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
        nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
        nn.AvgPool2d((3, 2), (2, 3), padding=(1, 0), count_include_pad=False),
        nn.AdaptiveAvgPool2d((3, 5)),
        nn.AdaptiveMaxPool2d(1),
        nn.Conv2d(8, 8, (4, 3), padding="same"),
        nn.Conv2d(8, 8, 3, stride=2, groups=4, dilation=2),
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 3, stride=2)),
        nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), float("-inf")), nn.MaxPool2d(3, 2)),
        nn.Sequential(nn.ZeroPad2d((1, 1, 1, 1)), nn.AvgPool2d(3, 2)),
        nn.ChannelShuffle(4),
        nn.PReLU(),
    ],
    ids=str,
)
def test_windows_and_paddings_are_those_of_torch(middle: nn.Module) -> None:
    converted(Computing(middle), side=17)


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(8, 4), nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.up(F.relu(self.down(x.mean((2, 3))))).sigmoid()
        return x * scale.view(x.shape[0], -1, 1, 1).expand_as(x)


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.wide, self.narrow = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.gamma = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.narrow(F.gelu(self.wide(self.norm(x.permute(0, 2, 3, 1)))))
        return x + (inner * self.gamma).permute(0, 3, 1, 2)


def parts(x: Tensor) -> Tensor:
    first, second = x.chunk(2, 1)
    first = first.clone()
    first[:, :2] += 1
    return torch.cat([second * 2 - 1, F.relu(first), 1 - x[:, 3:5], x[:, 0].unsqueeze(1) / 3, -x[:, :1]], 1)[:, :8]


@pytest.mark.parametrize(
    ("middle", "operations"),
    [
        (SqueezeExcite(), {"adaptive_avg_pool", "linear", "mul", "reshape"}),
        (ChannelsLast(), {"layer_norm", "add"}),
        (parts, {"slice", "concat"}),
        (lambda x: F.pad(x[:, :4, ::2, ::2], (0, 0, 0, 0, 2, 2)), {"max_pool", "slice"}),
    ],
    ids=["squeeze-excite", "channels-last", "parts", "padded shortcut"],
)
def test_blocks_of_the_field_are_expressed_without_anything_slow(middle, operations: set[str]) -> None:
    expected = {"affine", "conv", "activation", "adaptive_avg_pool", "reshape", "linear"} | operations
    assert operations <= {node.op for node in converted(Computing(middle)).nodes} <= expected


@pytest.mark.parametrize(
    ("middle", "complaint"),
    [
        (lambda x: F.interpolate(x, scale_factor=2), r"upsample_nearest2d \(upsampling\)"),
        (nn.GroupNorm(2, 8), r"middle \(group_norm\): .*norms over the pixels of the current image"),
        (lambda x: F.softmax(x.flatten(2), -1).unsqueeze(-1), r"softmax \(attention that is not"),
        (lambda x: x.unflatten(2, (4, 4)).flatten(3), "views"),
        (lambda x: x + torch.arange(16.0), "not one per channel"),
        (lambda x: x[:, :, 1:-1, 1:-1], "the runtime can only take channels"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "in mode reflect"),
        (lambda x: torch.erf(x), "erf.* is not part of any operation"),
        (lambda x: F.relu(F.pad(x, (1, 1, 1, 1))), "pad.* is not part of any operation"),
        (lambda x: x / x.mean((2, 3), keepdim=True), "depends on the images"),
        (nn.BatchNorm2d(8, track_running_stats=False), "no running statistics"),
        (lambda x: x.flip(0), "has no flip"),
    ],
)
def test_what_the_runtime_lacks_is_named_with_its_layer(middle, complaint: str) -> None:
    with pytest.raises(UserError, match=rf"Computing cannot become a runtime file: .*{complaint}.*\.onnx") as caught:
        convert(classifier(Computing(middle)))
    assert "\n" not in str(caught.value)


@torch.no_grad()
def test_a_graph_runs_in_onnx_runtime_too() -> None:
    network = classifier(Computing(nn.Sequential(SqueezeExcite(), nn.AvgPool2d(3, 2, 1), ChannelsLast())))
    program = onnx_program(GraphNetwork(convert(network)), torch.rand(2, 3, 16, 16), "it")
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    images = torch.rand(5, 3, 16, 16)
    (logits,) = session.run(None, {"images": images.numpy()})
    assert relative_difference(torch.from_numpy(logits), network(images)) < 1e-4
