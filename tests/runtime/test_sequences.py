"""Sequences and attention in the engine, held to the reference interpreter: any lengths, depths, heads and masks."""

from typing import Any

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.steps import tokens

from .random_sequences import difference, inputs, random_sequence, random_text

POINTWISE = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}
CUTS = [(0, 1), (2, 3), (2, 7), (0, 7), (6, 7)]


def of_seed(seed: int) -> Graph:
    """Images, texts that hide padding, and texts whose tokens all mix, in turn."""
    return [random_sequence, random_text, lambda one: random_text(one, padded=False)][seed % 3](seed)


def spoilt(engine: Engine) -> Engine:
    """An engine in whose memory nothing is a number: what it reads it must have written."""
    engine.arena.bytes.view(np.float32)[:] = np.nan
    return engine


@pytest.mark.parametrize("name", runnable_names())
@pytest.mark.parametrize("seed", range(12))
def test_random_sequences_on_every_processor(seed: int, name: str) -> None:
    graph = of_seed(seed)
    assert difference(graph, spoilt(Engine(graph, target=Target.named(name)))) < 1e-4


@pytest.mark.parametrize("seed", range(100, 190))
def test_random_sequences(seed: int) -> None:
    graph = of_seed(seed)
    assert difference(graph, spoilt(Engine(graph))) < 1e-4


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("seed", range(200, 212))
def test_threads_do_not_change_the_answer(seed: int, threads: int) -> None:
    graph = of_seed(seed)
    given, one, several = inputs(graph, 3), Engine(graph), Engine(graph, threads)
    np.testing.assert_allclose(several(given), one(given), rtol=1e-4, atol=1e-5)
    assert difference(graph, several) < 1e-4
    several.close()


def weight(*shape: int, scale: float = 1.0) -> Weight:
    values = np.random.default_rng(shape).standard_normal(shape) * scale / np.prod(shape[1:]) ** 0.5
    return Weight(shape, values.astype(np.float32).ravel())


def attention(
    queries: int,
    keys: int,
    depth: int,
    heads: tuple[int, int] = (1, 1),
    value_depth: int = 0,
    *,
    mask: str = "",
    scale: float = 1.0,
) -> Graph:
    """Attention to the last tokens of an image of one row, by its first; a mask is an activation of channel 0."""
    length, (many, few) = max(queries, keys), heads
    counts = {"q": many * depth, "k": few * depth, "v": few * (value_depth or depth)}
    first = {"q": 0, "k": length - keys, "v": length - keys}
    nodes, weights = [], {}
    for name, count in counts.items():
        weights[name] = weight(count, 3, 1, 1, scale=scale)
        nodes.append(Node("conv", f"{name} conv", ("x",), f"{name} all", POINTWISE, {"weight": name}))
        span = {"start": first[name], "stop": first[name] + (queries if name == "q" else keys)}
        nodes.append(Node("tokens", f"{name} cut", (f"{name} all",), name, span))
    inputs = ("q", "k", "v")
    if mask:
        weights["m"] = Weight((1, 3, 1, 1), np.array([1, 0, 0], np.float32))
        weights["b"] = Weight((1,), np.array([-0.3], np.float32))
        nodes.append(Node("conv", "m conv", ("x",), "m all", POINTWISE, {"weight": "m", "bias": "b"}))
        nodes.append(Node("tokens", "m cut", ("m all",), "m cut", {"start": length - keys, "stop": length}))
        nodes.append(Node("activation", "m", ("m cut",), "m", {"kind": mask}))
        inputs = (*inputs, "m")
    given = {"heads": many, "key_heads": few, "scale": depth**-0.5}
    return Graph("x", (3, 1, length), (*nodes, Node("attention", "attend", inputs, "y", given)), "y", weights)


LENGTHS = [(2, 2), (1, 5), (5, 1), (1, 1), (16, 16), (17, 128), (128, 129), (129, 15), (300, 256), (65, 257), (33, 300)]
DEPTHS = [(1, 1), (3, 3), (5, 8), (20, 2), (64, 64), (4, 1)]
HEADS = [(1, 1), (4, 4), (6, 2), (4, 1)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("depths", DEPTHS, ids=str)
def test_attention_of_any_lengths_and_depths(lengths: tuple[int, int], depths: tuple[int, int]) -> None:
    place = LENGTHS.index(lengths) + DEPTHS.index(depths)
    # Of several keys some count; what comes of none that does is not said.
    mask = ["", "relu", "sigmoid"][place % 3] if lengths[1] > 1 else ""
    graph = attention(*lengths, depths[0], HEADS[place % 4], depths[1], mask=mask)
    assert difference(graph, spoilt(Engine(graph))) < 1e-4


@pytest.mark.parametrize("name", runnable_names())
@pytest.mark.parametrize("lengths", [(5, 5), (40, 130), (70, 40), (80, 40), (130, 300)], ids=str)
def test_attention_on_every_processor(lengths: tuple[int, int], name: str) -> None:
    """As many vectors of queries as there are in a tile, one more, and fewer."""
    graph = attention(*lengths, 12, (4, 2), 6, mask="sigmoid")
    assert difference(graph, spoilt(Engine(graph, target=Target.named(name)))) < 1e-4


@pytest.mark.parametrize("tile", [*{*tokens._TILES.values()}], ids=str)
def test_tiles_of_other_processors_give_the_same(tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tokens._TILES, Target.host().held_vectors, tile)
    for queries in (16, 33, 80, 130):
        graph = attention(queries, 40, 6, (2, 2), 4)
        assert difference(graph, spoilt(Engine(graph))) < 1e-4


@pytest.mark.parametrize("scale", [1.0, -1.0])
@pytest.mark.parametrize("length", [5, 300])
@pytest.mark.parametrize("rising", [False, True])
def test_large_scores_do_not_overflow(length: int, scale: float, rising: bool) -> None:
    """Scores of up to ten thousand: the largest comes first or last, and all may be far below zero."""
    graph = attention(length, length, 1)
    weights = {**graph.weights}
    for name, row in (("q", [0, 1, 0]), ("k", [scale, 0, 0]), ("v", [0, 0, 1])):
        weights[name] = Weight((1, 3, 1, 1), np.array(row, np.float32))
    graph = Graph("x", graph.input_shape, graph.nodes, "y", weights)
    x = np.random.default_rng(0).random((1, 3, 1, length)).astype(np.float32)
    x[:, 0] = np.linspace(0.5, 1, length)[:: 1 if rising else -1]
    x[:, 1] = 1e4
    found = Engine(graph)(x)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, interpret(graph, x.astype(np.float64)), atol=2e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_image(bad: float) -> None:
    graph = attention(20, 20, 4, (2, 1))
    clean, engine = inputs(graph, 3), Engine(graph)
    expected, broken = engine(clean), clean.copy()
    broken[1, 2, 0, 7] = bad
    found = engine(broken)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])
    np.testing.assert_array_equal(engine(clean), expected)


@pytest.mark.parametrize("before", ["", "relu"])
@pytest.mark.parametrize("behind", ["", "tanh", "conv"])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_tokens_are_cut_out_of_whatever_holds_them(cut: tuple[int, int], before: str, behind: str) -> None:
    """Of the image itself, of numbers in order, and of blocks."""
    nodes, weights = [], {}
    if before:
        nodes.append(Node("activation", "before", ("x",), "b", {"kind": before}))
    nodes.append(Node("tokens", "cut", ("b" if before else "x",), "t", {"start": cut[0], "stop": cut[1]}))
    if behind == "conv":
        weights["w"] = weight(2, 3, 1, 1)
        nodes.append(Node("conv", "behind", ("t",), "y", POINTWISE, {"weight": "w"}))
    elif behind:
        nodes.append(Node("activation", "behind", ("t",), "y", {"kind": behind}))
    graph = Graph("x", (3, 1, 7), tuple(nodes), "y" if behind else "t", weights)
    assert difference(graph, Engine(graph)) < 1e-5


@pytest.mark.parametrize("shape", [(3, 1, 2), (2, 5, 7), (4, 4, 4), (1, 17, 17)], ids=str)
@pytest.mark.parametrize("firsts", [0, 1, 3])
@pytest.mark.parametrize("laid", [False, True])
def test_a_sequence_is_the_rows_of_a_map_behind_its_first_tokens(
    shape: tuple[int, int, int], firsts: int, laid: bool
) -> None:
    count = firsts + shape[1] * shape[2]
    nodes, weights, roles = [], {"positions": weight(shape[0], count + 2)}, {"positions": "positions"}
    if firsts:
        weights["first"], roles["first"] = weight(shape[0], firsts), "first"
    if laid:
        weights["w"] = Weight((shape[0], shape[0], 1, 1), np.eye(shape[0], dtype=np.float32).ravel())
        nodes.append(Node("conv", "laid", ("x",), "l", POINTWISE, {"weight": "w"}))
    nodes.append(Node("sequence", "row", ("l" if laid else "x",), "y", {}, roles))
    graph, x = Graph("x", shape, tuple(nodes), "y", weights), np.random.default_rng(0).random((2, *shape), np.float32)
    right: Any = x.reshape(2, shape[0], 1, -1)
    if firsts:
        before = np.broadcast_to(weights["first"].dense()[:, None], (2, shape[0], 1, firsts))
        right = np.concatenate([before, right], 3)
    np.testing.assert_allclose(Engine(graph)(x), right + weights["positions"].dense()[:, None, :count], atol=1e-6)
