"""Every operation is what torch computes, on shapes and settings where implementations go wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from robust_tickets.runtime.graph import Graph, Node, Shape, Weight
from robust_tickets.runtime.reference import ACTIVATIONS as COMPUTED_ACTIVATIONS
from robust_tickets.runtime.reference import COMPUTATIONS, interpret
from robust_tickets.runtime.rules.operations import ACTIVATIONS, OPERATIONS, require_valid


def one(
    op: str, shape: Shape, weights: Mapping[str, Tensor] | None = None, /, *, inputs: int = 1, **attributes: Any
) -> Graph:
    """A graph of one operation, on the same value as often as it has inputs."""
    weights = weights or {}
    stored = {role: Weight(tuple(weight.shape), weight.numpy().ravel()) for role, weight in weights.items()}
    node = Node(op, "node", ("x",) * inputs, "y", attributes, {role: role for role in weights})
    return Graph("x", shape, (node,), "y", stored)


def agree(graph: Graph, expected: Callable[[Tensor], Tensor], tolerance: float = 1e-12) -> None:
    images = torch.randn(3, *graph.input_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    result = interpret(graph, images.numpy())
    wanted = expected(images)
    assert result.dtype == np.float64
    assert result.shape[1:] == require_valid(graph)["y"]
    np.testing.assert_allclose(result, wanted.numpy(), rtol=tolerance, atol=tolerance)
    single = interpret(graph, images.float().numpy())
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted.numpy(), rtol=1e-4, atol=1e-4)


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
        ((1, 1), (2, 2), (0, 0, 0, 0), (1, 1)),
        ((3, 3), (2, 1), (1, 1, 1, 1), (1, 1)),
        ((3, 3), (2, 2), (0, 0, 1, 1), (1, 1)),
        ((5, 2), (1, 3), (4, 0, 1, 3), (1, 2)),
        ((3, 3), (1, 1), (2, 2, 2, 2), (2, 3)),
        ((2, 2), (3, 3), (5, 5, 5, 5), (1, 1)),
    ],
)
def test_convolution(groups: int, bias: bool, kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
    weights = {"weight": rand(8, 4 // groups, *kernel), "bias": rand(8)}
    if not bias:
        del weights["bias"]
    graph = one(
        "conv", (4, 9, 11), weights, stride=list(stride), padding=list(padding), dilation=list(dilation), groups=groups
    )
    top, left, bottom, right = padding

    def expected(x: Tensor) -> Tensor:
        double = [weights["weight"].double(), weights["bias"].double() if bias else None]
        return F.conv2d(F.pad(x, (left, right, top, bottom)), *double, stride, 0, dilation, groups)

    agree(graph, expected)


def ceil_padding(length: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """The padding at the far end under which as many windows fit as torch's ceil_mode has."""
    outputs = -(-(length + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    if (outputs - 1) * stride >= length + padding:
        outputs -= 1
    return max(padding, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - length - padding)


POOLS = [(k, s, p) for k in (1, 2, 3, 5) for s in (1, 2, 3, 4) for p in range(k // 2 + 1)]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(7, 10), (8, 9), (6, 13)])
def test_poolings_for_every_kernel_stride_padding_and_rounding(size: tuple[int, int], ceil_mode: bool) -> None:
    for kernel, stride, padding in POOLS:
        far = [ceil_padding(length, kernel, stride, padding) if ceil_mode else padding for length in size]
        common = {"kernel": [kernel] * 2, "stride": [stride] * 2, "padding": [padding, padding, *far]}
        agree(
            one("max_pool", (2, *size), **common, dilation=[1, 1]),
            lambda x, k=kernel, s=stride, p=padding: F.max_pool2d(x, k, s, p, ceil_mode=ceil_mode),
        )
        for counted in (True, False):
            agree(
                one("avg_pool", (2, *size), **common, count_include_pad=counted),
                lambda x, k=kernel, s=stride, p=padding, c=counted: F.avg_pool2d(x, k, s, p, ceil_mode, c),
            )


def test_dilated_max_pooling() -> None:
    for dilation, padding in [(2, 0), (2, 1), (3, 1)]:
        graph = one(
            "max_pool", (2, 9, 11), kernel=[3, 2], stride=[1, 2], padding=[padding] * 4, dilation=[dilation] * 2
        )
        agree(graph, lambda x, d=dilation, p=padding: F.max_pool2d(x, (3, 2), (1, 2), p, d))


@pytest.mark.parametrize("output", [(1, 1), (3, 4), (7, 7), (9, 13)])
def test_adaptive_average_pooling(output: tuple[int, int]) -> None:
    graph = one("adaptive_avg_pool", (3, 7, 10), output=list(output))
    agree(graph, lambda x: F.adaptive_avg_pool2d(x, output))


TORCH_ACTIVATIONS: dict[str, tuple[dict[str, float], Callable[[Tensor], Tensor]]] = {
    "relu": ({}, F.relu),
    "relu6": ({}, F.relu6),
    "clip": ({"min": -0.5, "max": 1}, lambda x: x.clamp(-0.5, 1)),
    "leaky_relu": ({"slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    "elu": ({"alpha": 1.3}, lambda x: F.elu(x, 1.3)),
    "silu": ({}, F.silu),
    "gelu": ({}, F.gelu),
    "gelu_tanh": ({}, lambda x: F.gelu(x, approximate="tanh")),
    "hardswish": ({}, F.hardswish),
    "hardsigmoid": ({}, F.hardsigmoid),
    "sigmoid": ({}, torch.sigmoid),
    "tanh": ({}, torch.tanh),
    "mish": ({}, F.mish),
}


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activation(kind: str) -> None:
    parameters, expected = TORCH_ACTIVATIONS[kind]
    agree(one("activation", (4, 8, 8), kind=kind, **parameters), expected)
    large = torch.tensor([[-1e4, -200.0, -20.0, 0.0, 20.0, 200.0, 1e4]])
    result = interpret(one("activation", (7,), kind=kind, **parameters), large.numpy())
    np.testing.assert_allclose(result, expected(large).numpy(), rtol=1e-6, atol=1e-7)


def test_everything_else() -> None:
    weight, bias = rand(5, 7), rand(5)
    agree(one("linear", (7,), {"weight": weight, "bias": bias}), lambda x: F.linear(x, weight.double(), bias.double()))
    agree(one("linear", (7,), {"weight": weight}), lambda x: x @ weight.double().T)
    scale, shift = rand(6), rand(6) + 1
    columns = (scale.double()[:, None, None], shift.double()[:, None, None])
    agree(one("affine", (6, 3, 2), {"scale": scale, "shift": shift}), lambda x: x * columns[0] + columns[1])
    agree(one("affine", (6,), {"scale": scale, "shift": shift}), lambda x: x * scale.double() + shift.double())
    agree(one("add", (3, 4, 5), inputs=2), lambda x: x + x)
    agree(one("mul", (5,), inputs=2), lambda x: x * x)
    agree(one("concat", (3, 4, 5), inputs=3), lambda x: torch.cat([x, x, x], 1))
    agree(one("slice", (6, 4, 5), start=1, stop=5), lambda x: x[:, 1:5])
    agree(one("shuffle", (6, 4, 5), groups=3), lambda x: torch.channel_shuffle(x, 3))
    agree(one("reshape", (3, 4, 5), shape=[60]), lambda x: x.flatten(1))
    agree(one("reshape", (3,), shape=[3, 1, 1]), lambda x: x[:, :, None, None])
    normed = {"scale": scale, "shift": shift}
    agree(
        one("layer_norm", (6, 4, 5), normed, epsilon=1e-6),
        lambda x: F.layer_norm(x.movedim(1, -1), (6,), scale.double(), shift.double(), 1e-6).movedim(-1, 1),
    )
    agree(
        one("layer_norm", (6,), normed, epsilon=1e-3),
        lambda x: F.layer_norm(x, (6,), scale.double(), shift.double(), 1e-3),
    )


def test_the_registries_name_the_same_operations() -> None:
    assert COMPUTATIONS.keys() == OPERATIONS.keys()
    assert COMPUTED_ACTIVATIONS.keys() == ACTIVATIONS.keys()


def squeeze_excite() -> Graph:
    nodes = (
        Node("adaptive_avg_pool", "squeeze", ("x",), "s", {"output": [1, 1]}),
        Node("activation", "gate", ("s",), "g", {"kind": "sigmoid"}),
        Node("mul", "excite", ("g", "x"), "m"),
        Node("add", "skip", ("m", "x"), "y"),
    )
    return Graph("x", (4, 3, 3), nodes, "y", {})


def test_squeeze_and_excite_and_all_values() -> None:
    images = rand(2, 4, 3, 3)
    values = interpret(squeeze_excite(), images.numpy(), values=True)
    expected = images * images.mean((2, 3), keepdim=True).sigmoid() + images
    np.testing.assert_allclose(values["y"], expected.numpy(), rtol=1e-5, atol=1e-6)
    assert {name: value.shape[1:] for name, value in values.items()} == require_valid(squeeze_excite())


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_broken_image_gives_nan_although_no_weight_looks_at_it_and_alone(broken: float) -> None:
    weights = {"weight": torch.zeros(3, 7), "bias": torch.ones(3)}
    images = np.ones((3, 7), np.float32)
    images[1, 4] = broken
    result = interpret(one("linear", (7,), weights), images)
    assert np.isnan(result[1]).all()
    np.testing.assert_array_equal(result[[0, 2]], 1)
    assert images[1, 4] == pytest.approx(broken, nan_ok=True), "the caller's images are not touched"


def test_no_image_gives_no_logits() -> None:
    assert interpret(squeeze_excite(), np.zeros((0, 4, 3, 3), np.float32)).shape == (0, 4, 3, 3)


@pytest.mark.parametrize("images", [np.zeros((1, 4, 3, 4), np.float32), np.zeros((1, 4, 3, 3), np.uint8)])
def test_images_of_another_shape_or_type_are_refused(images: Any) -> None:
    with pytest.raises(ValueError, match=r"should be float32 or float64 \[N, 4, 3, 3\]"):
        interpret(squeeze_excite(), images)
