"""Texts of any length: an answer is that of the text alone, whatever the batch and the padding."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.token_engine import MOST_ENGINES, TokenEngine, rounded

from .graphs import text_network
from .random_sequences import inputs, random_text

POINTWISE: dict[str, Any] = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}


def alone(graph: Graph, rows: NDArray[np.float32], counts: list[int]) -> list[NDArray[np.float64]]:
    """What the reference computes of each text at its own length."""
    return [
        interpret(graph.of_length(max(2, count)), padded(graph, rows[index], count)[None].astype(np.float64))[0]
        for index, count in enumerate(counts)
    ]


def padded(graph: Graph, row: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """A text without what is behind it; a single token has one of padding, which the mask hides, behind it."""
    text = np.zeros((*row.shape[:-1], max(2, count)), np.float32)
    text[..., :count] = row[..., :count]
    return text


def require_equal(graph: Graph, found: NDArray[np.float32], rows: NDArray[np.float32], counts: list[int]) -> None:
    by_token = found.ndim == 4
    for one, right, count in zip(found, alone(graph, rows, counts), counts, strict=True):
        spread = max(float(right.std()), 1e-2 * float(np.abs(right).max()), 1e-9)
        seen = one[..., :count] if by_token else one
        assert np.abs(seen - (right[..., :count] if by_token else right)).max() < 1e-4 * spread, count
        if by_token:
            assert not one[..., count:].any()


def some_counts(most: int) -> list[int]:
    return [one for one in (1, 2, 3, 15, 16, 17, 40, 64, 127, 128, 129, 200, 256, 257, 299, 300) if one <= most]


@pytest.mark.parametrize("seed", range(16))
def test_texts_of_many_lengths_in_one_batch(seed: int) -> None:
    graph = random_text(seed)
    counts = some_counts(graph.input_shape[-1])
    rows, engine = inputs(graph, len(counts)), TokenEngine(graph)
    require_equal(graph, engine(rows, np.array(counts)), rows, counts)
    engine.close()


@pytest.mark.parametrize("name", runnable_names())
def test_every_processor_and_several_threads(name: str) -> None:
    graph, counts = text_network(), [5, 130, 300, 17]
    rows = inputs(graph, len(counts))
    engine = TokenEngine(graph, 2, target=Target.named(name))
    require_equal(graph, engine(rows, np.array(counts)), rows, counts)
    engine.close()


def test_what_is_behind_a_text_or_masked_does_not_matter() -> None:
    """Whatever numbers are there, those of no token among them."""
    graph = text_network()
    engine, counts = TokenEngine(graph), [4, 20, 33]
    rows = inputs(graph, 3)[..., :50]
    mask = graph.tokens.index("attention_mask")
    rows[1, mask, 0, 7:11] = 0
    expected = engine(rows, np.array(counts))
    for other in (0, 1, 49, 1e9, -5, np.nan):
        changed = rows.copy()
        for index, count in enumerate(counts):
            changed[index, ..., count:] = other
        changed[1, graph.tokens.index("input_ids"), 0, 7:11] = np.nan_to_num(other)
        np.testing.assert_array_equal(engine(changed, np.array(counts)), expected)
    unmasked = rows.copy()
    unmasked[1, mask, 0, 7:11] = 1
    assert np.abs(engine(unmasked, np.array(counts)) - expected)[1].max() > 1e-3
    require_equal(graph, expected, rows, counts)


def shown(kind: str) -> Graph:
    """A network of which padding changes the answer, by one operation that does not look at the mask."""
    nodes = [
        Node("slice", "mask", ("x",), "m", {"start": 1, "stop": 2}),
        Node("embed", "embed", ("x",), "e", {"row": 0}, {"table": "t"}),
    ]
    numbers = np.random.default_rng(0)
    table, wide = (numbers.standard_normal(shape).astype(np.float32) for shape in ((50, 6), (6, 6, 1, 3)))
    weights = {"t": Weight(table.shape, table.ravel())}
    window = {"kernel": [1, 3], "stride": [1, 1], "padding": [0, 1, 0, 1]}
    attend = {"heads": 2, "key_heads": 2, "scale": 1.0}
    match kind:
        case "conv":
            weights["w"] = Weight(wide.shape, wide.ravel())
            nodes.append(Node("conv", kind, ("e",), "y", {**POINTWISE, "padding": [0, 1, 0, 1]}, {"weight": "w"}))
        case "max_pool":
            nodes.append(Node(kind, kind, ("e",), "y", {**window, "dilation": [1, 1]}))
        case "avg_pool":
            nodes.append(Node(kind, kind, ("e",), "y", {**window, "count_include_pad": False}))
        case "adaptive_avg_pool":
            nodes.append(Node(kind, kind, ("e",), "mean", {"output": [1, 1]}))
            nodes.append(Node("mul", "excite", ("e", "mean"), "y"))
        case "attention":
            nodes.append(Node(kind, kind, ("e", "e", "e"), "y", attend))
        case "other mask":
            nodes.append(Node("activation", "made", ("m",), "n", {"kind": "sigmoid"}))
            nodes.append(Node("attention", "attention", ("e", "e", "e", "n"), "y", attend))
    nodes.append(Node("attention", "end", ("y", "y", "y", "m"), "z", attend))
    return Graph("x", (2, 1, 64), tuple(nodes), "z", weights, {}, ("input_ids", "attention_mask"))


@pytest.mark.parametrize("kind", ["conv", "max_pool", "avg_pool", "adaptive_avg_pool", "attention", "other mask"])
def test_padding_that_would_show_is_not_added(kind: str) -> None:
    graph, counts = shown(kind), [2, 7, 33, 64]
    rows, engine = inputs(graph, len(counts)), TokenEngine(graph)
    require_equal(graph, engine(rows, np.array(counts)), rows, counts)


def test_few_lengths_are_planned_and_few_are_kept() -> None:
    graph = text_network()
    engine = TokenEngine(graph)
    assert {id(engine.engine(count)) for count in range(1, 17)} == {id(engine.engine(9))}
    assert engine.engine(20).graph.input_shape == (3, 1, 32)
    for count in range(16, 300, 16):
        engine.engine(count)
    assert len(engine._engines) == MOST_ENGINES
    kept = engine.engine(300)
    engine.engine(16)
    assert engine.engine(300) is kept


@pytest.mark.parametrize("most", [2, 5, 16, 100, 512, 700, 4096])
def test_a_length_holds_the_text_and_is_possible(most: int) -> None:
    lengths = [rounded(count, most) for count in range(1, most + 1)]
    assert all(max(2, count) <= length <= most for count, length in enumerate(lengths, 1))
    assert lengths == sorted(lengths)
    assert len(set(lengths)) <= 8 + 6 + -(-most // 256)


def test_texts_of_one_token_and_no_texts() -> None:
    graph = text_network()
    rows, engine = inputs(graph, 1), TokenEngine(graph)
    require_equal(graph, engine(rows, np.array([1])), rows, [1])
    assert engine(rows[:0], np.zeros(0, np.int64)).shape == (0, 4)


def test_a_text_with_what_is_no_number_spoils_its_own_answer_only() -> None:
    graph = text_network()
    rows, engine, counts = inputs(graph, 3), TokenEngine(graph), np.array([20, 20, 20])
    expected = engine(rows, counts)
    rows[1, 0, 0, 3] = np.nan
    found = engine(rows, counts)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])


def test_a_closed_one_says_so_and_steps_are_timed() -> None:
    graph = text_network()
    engine = TokenEngine(graph)
    times = engine.profile(inputs(graph, 1)[0, ..., :20], calls=1)
    assert {"embed", "attention", "sequence"} <= {step.kind for step in times}
    assert sum(step.flops for step in times if step.kind == "attention") > 0
    engine.close()
    with pytest.raises(ValueError, match="closed"):
        engine(inputs(graph, 1), np.array([20]))


def test_answers_for_each_token() -> None:
    graph = text_network()
    nodes = tuple(node for node in graph.nodes if node.name not in ("first", "flat", "head"))
    graph = replace(graph, nodes=nodes, output="seen", weights={k: v for k, v in graph.weights.items() if k != "head"})
    rows, counts = inputs(graph, 3), [3, 18, 300]
    engine = TokenEngine(graph)
    found = engine(rows, np.array(counts))
    assert engine.by_token
    assert found.shape == (3, 12, 1, 300)
    require_equal(graph, found, rows, counts)
