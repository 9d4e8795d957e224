"""Vision transformers become the runtime's operations: as timm and torchvision spell them, and with heads removed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VisionTransformer

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.models.reduced_attention import ReducedAttention
from robust_tickets.runtime.engine import Engine
from robust_tickets.shrinking.conversion import GraphNetwork, convert

SIDE, WIDTH, HEADS = 32, 24, 3


def timms(**settings: object) -> timm.models.VisionTransformer:
    sizes = {"img_size": SIDE, "patch_size": 8, "embed_dim": WIDTH, "depth": 1, "num_heads": HEADS, "num_classes": 5}
    return timm.models.VisionTransformer(**{**sizes, **settings})


def torchvisions(heads: int = HEADS) -> VisionTransformer:
    return VisionTransformer(SIDE, 8, 1, heads, WIDTH, 2 * WIDTH, num_classes=5)


def with_fewer_heads() -> VisionTransformer:
    """One of three heads is gone, as after `remove`: what is left has two of the same width."""
    body = torchvisions()
    for layer in body.modules():
        if isinstance(layer, nn.MultiheadAttention):
            depth = WIDTH // HEADS
            kept = torch.cat([torch.arange(2 * depth) + part * WIDTH for part in range(3)])
            layer.in_proj_weight = nn.Parameter(layer.in_proj_weight[kept])
            layer.in_proj_bias = nn.Parameter(layer.in_proj_bias[kept])
            layer.out_proj.weight = nn.Parameter(layer.out_proj.weight[:, : 2 * depth])
            layer.num_heads = 2
            layer.__class__ = ReducedAttention
    return body


def network(body: nn.Module, head: str, side: int = SIDE) -> rt.Network:
    torch.manual_seed(0)
    pixels = rt.Pixels(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), size=(side, side))
    return rt.Network(randomised(body).requires_grad_(False), pixels, head).eval()


@pytest.mark.parametrize(
    ("make", "head"),
    [
        (timms, "head"),
        (lambda: timms(class_token=False, global_pool="avg"), "head"),
        (lambda: timms(global_pool="avg", fc_norm=True), "head"),
        (lambda: timms(reg_tokens=4, init_values=0.1, no_embed_class=True), "head"),
        (lambda: timms(pre_norm=True, qkv_bias=False, mlp_ratio=3.0), "head"),
        (lambda: timms(act_layer=nn.SiLU, patch_size=16), "head"),
        (torchvisions, "heads.head"),
        (with_fewer_heads, "heads.head"),
    ],
    ids=["token", "no token", "mean and norm", "registers", "norm first", "silu", "torchvision", "fewer heads"],
)
@torch.no_grad()
def test_a_vision_transformer_computes_the_same(make: Callable[[], nn.Module], head: str) -> None:
    one = network(make(), head)
    graph = convert(one)
    images = torch.rand(3, 3, SIDE, SIDE)
    expected = one(images)
    assert relative_difference(GraphNetwork(graph)(images), expected) < 1e-5
    assert relative_difference(torch.from_numpy(Engine(graph)(images.numpy())), expected) < 1e-5
    counts = Counter(node.op for node in graph.nodes)
    assert counts["attention"] == 1
    assert counts["sequence"] == 1, "class tokens, registers and positions are one operation"


@pytest.mark.parametrize(
    ("tokens", "make"),
    [
        (16, lambda n: 3 * torch.randn(1, HEADS, n, n)),
        (196, lambda n: (torch.rand(n, n) < 0.5) | torch.eye(n).bool()),
    ],
    ids=["of each head", "of all heads, over two blocks of keys"],
)
@torch.no_grad()
def test_a_bias_for_each_pair_of_tokens_is_added(tokens: int, make: Callable[[int], Tensor]) -> None:
    side, mask = 8 * round(tokens**0.5), make(tokens)
    one = network(Attending(lambda x: merged(attended(x, attn_mask=mask))), "head", side)
    graph = convert(one)
    images = torch.rand(2, 3, side, side)
    expected = one(images)
    assert relative_difference(GraphNetwork(graph)(images), expected) < 1e-5
    for threads in (1, 2):
        assert relative_difference(torch.from_numpy(Engine(graph, threads)(images.numpy())), expected) < 1e-5


def test_zeros_of_the_matrices_stay_zeros() -> None:
    one = network(timms(init_values=0.1), "head")
    for name, weight in one.body.named_parameters():
        if name.startswith("blocks") and weight.dim() == 2:
            weight.data[weight.abs() < weight.abs().quantile(0.9)] = 0
    graph = convert(one)
    matrices = [graph.weights[node.weights["weight"]] for node in graph.nodes if node.op == "conv"][1:]
    assert len(matrices) == 4
    assert all(weight.count == pytest.approx(0.1 * np.prod(weight.shape), rel=0.02) for weight in matrices)


def test_torchs_attention_is_left_as_it_was() -> None:
    one = network(torchvisions(), "heads.head")
    convert(one)
    assert sum(type(layer) is nn.MultiheadAttention for layer in one.modules()) == 1


class Attending(nn.Module):
    """A sequence of patches, something in the middle, a head."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.patches, self.head, self.middle = nn.Conv2d(3, WIDTH, 8, 8), nn.Linear(WIDTH, 5), middle

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.middle(self.patches(images).flatten(2).transpose(1, 2)).mean(1))


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def attended(x: Tensor, **how: Any) -> Tensor:
    return F.scaled_dot_product_attention(heads(x), heads(x), heads(x), **how)


def merged(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


@pytest.mark.parametrize(
    ("middle", "complaint"),
    [
        (lambda x: merged(attended(x, is_causal=True)), "some of the tokens alone"),
        (lambda x: merged(F.softmax(heads(x) @ heads(x).transpose(2, 3), -1) @ heads(x)), "not scaled_dot_product"),
        (lambda x: merged(F.layer_norm(heads(x), [WIDTH // HEADS])), "in groups, which can only be moved"),
        (lambda x: x.reshape(-1, 4, 4, WIDTH).reshape(-1, 16, WIDTH), "views"),
        (lambda x: torch.cat([x, x], 1), "not channels"),
        (lambda x: heads(x)[:, 0].repeat(1, 1, HEADS), "all heads of one kind"),
    ],
)
def test_other_attention_is_refused_by_what_it_does(middle, complaint: str) -> None:
    with pytest.raises(UserError, match=rf"Attending cannot become a runtime file: .*{complaint}.*\.onnx") as caught:
        convert(network(Attending(middle), "head"))
    assert "\n" not in str(caught.value)
