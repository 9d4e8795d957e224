"""The operations on sequences are what torch computes: its attention, its embeddings, a module with its weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.shrinking.conversion import GraphNetwork

from .graphs import patch_network, text_network
from .random_sequences import inputs, random_sequence, random_text
from .test_reference import agree, one, rand


@pytest.mark.parametrize("firsts", [0, 1, 3])
@pytest.mark.parametrize("positions", [0, 1, 4])
def test_sequence(firsts: int, positions: int) -> None:
    weights, length = {}, firsts + 20
    if firsts:
        weights["first"] = rand(3, firsts)
    if positions:
        weights["positions"] = rand(3, length + positions - 1)

    def expected(x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        if firsts:
            tokens = torch.cat([weights["first"].T.double().expand(len(x), -1, -1), tokens], 1)
        if positions:
            tokens = tokens + weights["positions"].T[:length].double()
        return tokens.transpose(1, 2)[:, :, None]

    agree(one("sequence", (3, 4, 5), weights), expected)


def test_tokens() -> None:
    agree(one("tokens", (3, 1, 7), start=2, stop=5), lambda x: x[..., 2:5])
    agree(one("tokens", (3, 1, 7), start=6, stop=7), lambda x: x[..., 6:])
    agree(one("tokens", (3, 1, 1), start=0, stop=1), lambda x: x)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_embed(row: int) -> None:
    module = nn.Embedding(11, 5).requires_grad_(False)
    graph = one("embed", (3, 1, 6), {"table": module.weight}, row=row)
    numbers = torch.randint(11, (4, 3, 1, 6), generator=torch.Generator().manual_seed(0))
    expected = module(numbers[:, row, 0]).movedim(2, 1)[:, :, None]
    np.testing.assert_array_equal(interpret(graph, numbers.float().numpy()), expected.numpy())
    np.testing.assert_array_equal(GraphNetwork(graph)(numbers.float()).numpy(), expected.numpy())


@pytest.mark.filterwarnings("error")
def test_numbers_outside_of_the_table_are_its_first_and_its_last() -> None:
    graph = one("embed", (1, 1, 8), {"table": torch.arange(4.0)[:, None]}, row=0)
    numbers = np.array([-1, -0.5, -1e30, 0.9, 3.9, 4, 2**24, 1e30], np.float32).reshape(1, 1, 1, 8)
    expected = [0, 0, 0, 0, 3, 3, 3, 3]
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(interpret(graph, numbers.astype(kind))[0, 0, 0], expected)
    np.testing.assert_array_equal(GraphNetwork(graph)(torch.from_numpy(numbers))[0, 0, 0], expected)


def attention_graph(channels: Mapping[str, slice], length: int, keys: slice, **attributes: Any) -> Graph:
    """Attention between channels of the input, by all its tokens, to some."""
    nodes = []
    for name, span in channels.items():
        nodes.append(Node("slice", f"{name} slice", ("x",), f"{name}s", {"start": span.start, "stop": span.stop}))
        cut = slice(0, length) if name == "q" else keys
        nodes.append(Node("tokens", f"{name} cut", (f"{name}s",), name, {"start": cut.start, "stop": cut.stop}))
    nodes.append(Node("attention", "attention", tuple(channels), "y", attributes))
    return Graph("x", (max(span.stop for span in channels.values()), 1, length), tuple(nodes), "y", {})


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("keys", [slice(0, 9), slice(3, 8), slice(4, 5)])
@pytest.mark.parametrize(("heads", "groups"), [(1, 1), (6, 6), (6, 2), (6, 1)])
def test_attention(heads: int, groups: int, keys: slice, masked: bool) -> None:
    depth, value_depth, scale = 4, 3, 0.37
    edges = np.cumsum([0, heads * depth, groups * depth, groups * value_depth, 1]).tolist()
    spans = {name: slice(*edges[place : place + 2]) for place, name in enumerate("qkvm" if masked else "qkv")}
    graph = attention_graph(spans, 9, keys, heads=heads, key_heads=groups, scale=scale)

    def split(x: Tensor, count: int) -> Tensor:
        """[N, count, tokens, depth]."""
        return x[:, :, 0].unflatten(1, (count, -1)).transpose(2, 3)

    def expected(x: Tensor) -> Tensor:
        query = split(x[:, spans["q"]], heads)
        key, value = (split(x[:, spans[name], :, keys], groups) for name in "kv")
        mask = (x[:, spans["m"], :, keys] != 0).expand(-1, heads, 9, -1) if masked else None
        found = F.scaled_dot_product_attention(query, key, value, mask, scale=scale, enable_gqa=True)
        return found.transpose(2, 3).flatten(1, 2)[:, :, None]

    if not masked:
        agree(graph, expected)
    images = torch.randn(3, *graph.input_shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if masked:
        images[:, -1, :, keys.start + 1 : keys.stop : 2] = 0
    np.testing.assert_allclose(interpret(graph, images.numpy()), expected(images).numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(GraphNetwork(graph)(images.float()), expected(images), rtol=1e-3, atol=1e-5)


def test_attention_with_the_weights_of_a_module() -> None:
    """Three projections, four heads, the last four tokens of one of the texts hidden, and the projection behind."""
    width, heads, length = 12, 4, 9
    module = nn.MultiheadAttention(width, heads, batch_first=True).eval().requires_grad_(False)
    assert isinstance(module.in_proj_weight, Tensor)
    module.in_proj_bias.uniform_(-1, 1)
    module.out_proj.bias.uniform_(-1, 1)
    stored = {
        "in": module.in_proj_weight[..., None, None],
        "in.bias": module.in_proj_bias,
        "out": module.out_proj.weight[..., None, None],
        "out.bias": module.out_proj.bias,
    }
    point = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}
    nodes = [
        Node("slice", "tokens", ("x",), "t", {"start": 0, "stop": width}),
        Node("slice", "mask", ("x",), "m", {"start": width, "stop": width + 1}),
        Node("conv", "in", ("t",), "p", point, {"weight": "in", "bias": "in.bias"}),
        *(
            Node("slice", name, ("p",), name, {"start": place * width, "stop": (place + 1) * width})
            for place, name in enumerate("qkv")
        ),
        Node(
            "attention",
            "attend",
            ("q", "k", "v", "m"),
            "a",
            {"heads": heads, "key_heads": heads, "scale": (width // heads) ** -0.5},
        ),
        Node("conv", "out", ("a",), "y", point, {"weight": "out", "bias": "out.bias"}),
    ]
    weights = {name: Weight(tuple(value.shape), value.numpy().ravel()) for name, value in stored.items()}
    graph = Graph("x", (width + 1, 1, length), tuple(nodes), "y", weights)
    x, mask = rand(2, length, width), torch.ones(2, length)
    mask[1, 5:] = 0
    expected, _ = module(x, x, x, key_padding_mask=mask == 0)
    images = torch.cat([x, mask[..., None]], 2).transpose(1, 2)[:, :, None].numpy()
    np.testing.assert_allclose(interpret(graph, images)[:, :, 0], expected.transpose(1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_torch_networks_of_random_sequences(seed: int) -> None:
    for graph in (random_sequence(seed), random_text(seed), random_text(seed, padded=False)):
        given = inputs(graph, 2)
        expected = interpret(graph, given.astype(np.float64))
        with torch.no_grad():
            found = GraphNetwork(graph).double()(torch.from_numpy(given).double()).numpy()
        assert found.shape[1:] == require_valid(graph)[graph.output]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("graph", [patch_network(), text_network()], ids=["patches", "text"])
def test_torch_networks_of_other_lengths_and_batches(graph: Graph) -> None:
    lengths = [2, 17, 300] if graph.tokens else [6]
    network = GraphNetwork(graph)
    for length in lengths:
        shorter = graph.of_length(length)
        for count in (0, 1, 3):
            given = inputs(shorter, count)
            np.testing.assert_allclose(
                network(torch.from_numpy(given)).numpy(), interpret(shorter, given), rtol=1e-4, atol=1e-4
            )


def test_hidden_keys_change_nothing() -> None:
    """Whatever is there, and however large."""
    spans = {"q": slice(0, 4), "k": slice(4, 8), "v": slice(8, 12), "m": slice(12, 13)}
    graph = attention_graph(spans, 6, slice(0, 6), heads=2, key_heads=2, scale=1.0)
    images = rand(1, *graph.input_shape).numpy()
    images[0, 12] = [[1, 1, 0, 1, 0, 1]]
    expected = interpret(graph, images)
    images[0, 4:12, 0, [2, 4]] = 1e6
    np.testing.assert_allclose(interpret(graph, images), expected, rtol=1e-6)
