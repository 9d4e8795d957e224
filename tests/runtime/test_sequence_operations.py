"""What is malformed about sequences and texts, each in one line; and what a text's network may do at any length."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.lengths import hides_padding
from robust_tickets.runtime.rules.operations import require_valid

from .graphs import patch_network, text_network
from .random_sequences import inputs, random_text

TEXT = ("input_ids", "attention_mask")
POINT: dict[str, Any] = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}


def zeros(*shape: int) -> Weight:
    return Weight(shape, np.zeros(0, np.float32), np.zeros(0, np.int64))


def edited(graph: Graph, place: str, **changes: Any) -> Graph:
    """A graph with one node's inputs or attributes changed (None removes), or the shape of one of its weights."""
    index, node = next((index, node) for index, node in enumerate(graph.nodes) if node.name == place)
    inputs = changes.pop("inputs", node.inputs)
    shapes = {role: changes.pop(role) for role in node.weights.keys() & changes.keys()}
    weights = {**graph.weights, **{node.weights[role]: zeros(*shape) for role, shape in shapes.items()}}
    attributes = {key: value for key, value in {**node.attributes, **changes}.items() if value is not None}
    node = replace(node, inputs=inputs, attributes=attributes)
    return replace(graph, nodes=(*graph.nodes[:index], node, *graph.nodes[index + 1 :]), weights=weights)


def patches(place: str, **changes: Any) -> Graph:
    return edited(patch_network(), place, **changes)


def text(place: str, **changes: Any) -> Graph:
    return edited(text_network(), place, **changes)


def of_rows(*rows: Any, shape: tuple[int, ...] = (3, 1, 300)) -> Graph:
    return replace(text_network(), tokens=rows, input_shape=shape)


def behind(*nodes: Node, length: int = 16, shown: bool = True, **weights: Weight) -> Graph:
    """A network for texts: embeddings `e`, and nodes that make `y` of them."""
    embed = Node("embed", "embed", ("x",), "e", {"row": 0}, {"table": "table"})
    table = Weight((5, 4), np.random.default_rng(0).standard_normal(20).astype(np.float32))
    return Graph("x", (2, 1, length), (embed, *nodes), "y", {"table": table, **weights}, {}, TEXT if shown else ())


def window(op: str, width: int, step: int, output: str) -> Node:
    attributes = {"kernel": [1, width], "stride": [1, step], "padding": [0, 0, 0, 0], "dilation": [1, 1]}
    return Node(op, f"{op} {output}", ("e",), output, attributes)


MALFORMED: list[tuple[Callable[[], Graph], str]] = [
    (lambda: patches("row", first=(7, 1)), "node 'row' ('sequence'): first has shape (7, 1); it should be (8, tokens)"),
    (lambda: patches("row", first=(8,)), "first has shape (8,); it should be (8, tokens)"),
    (lambda: patches("row", positions=(8, 12)), "positions has shape (8, 12); it should be (8, 13 or more)"),
    (lambda: patches("row", positions=(7, 13)), "positions has shape (7, 13); it should be (8, 13 or more)"),
    (lambda: patches("row", positions=(8 * 13,)), "positions has shape (104,); it should be (8, 13 or more)"),
    (lambda: patches("row", inputs=("x",)), "first has shape (8, 1); it should be (3, tokens)"),
    (
        lambda: Graph("x", (4, 1, 1), (Node("sequence", "row", ("x",), "y"),), "y", {}),
        "node 'row' ('sequence'): it makes a sequence of one token; there should be at least 2",
    ),
    (
        lambda: Graph("x", (4,), (Node("sequence", "row", ("x",), "y"),), "y", {}),
        "its input has shape (4,); it should be (channels, height, width)",
    ),
    (lambda: patches("first", stop=14), "node 'first' ('tokens'): it takes tokens 0 to 14 of 13"),
    (lambda: patches("first", start=1), "it takes tokens 1 to 1 of 13"),
    (lambda: patches("first", start=-1), "start is -1; it should be an integer in [0,"),
    (lambda: patches("first", stop=None), "it lacks stop, which should be an integer"),
    (lambda: patches("first", inputs=("x",)), "its input has shape (3, 4, 6); it should be (channels, 1, tokens)"),
    (lambda: text("words", row=3), "node 'words' ('embed'): it reads row 3 of 3"),
    (lambda: text("words", row=True), "row is True; it should be an integer"),
    (lambda: text("words", table=(50,)), "table has shape (50,); it should be (vocabulary, channels) of at most"),
    (lambda: text("words", table=(2**24 + 1, 1)), "table has shape (16777217, 1); it should be (vocabulary, channels)"),
    (
        lambda: Graph(
            "x", (4,), (Node("embed", "e", ("x",), "y", {"row": 0}, {"table": "t"}),), "y", {"t": zeros(2, 2)}
        ),
        "its input has shape (4,); it should be (channels, 1, tokens)",
    ),
    (
        lambda: Graph(
            "x", (1, 1, 1), (Node("embed", "e", ("x",), "y", {"row": 0}, {"table": "t"}),), "y", {"t": zeros(2, 2)}
        ),
        "it reads one token; there should be room for at least 2",
    ),
    (
        lambda: Graph("x", (1, 1, 4), (Node("embed", "e", ("x",), "y", {"row": 0}),), "y", {}),
        "it lacks its table",
    ),
    (lambda: patches("attend", heads=0), "node 'attend' ('attention'): heads is 0; it should be an integer in [1,"),
    (lambda: patches("attend", key_heads=None), "it lacks key_heads, which should be an integer"),
    (lambda: patches("attend", scale=0), "scale is 0; it should be a finite number in [1e-06, 1e+06]"),
    (lambda: patches("attend", scale=-0.5), "scale is -0.5; it should be a finite number"),
    (lambda: patches("attend", scale=float("nan")), "scale is nan; it should be a finite number"),
    (lambda: patches("attend", causal=True), "it has 'causal', which this operation does not take"),
    (lambda: patches("attend", inputs=("q", "k")), "it has 2 inputs; it should have 3 to 4"),
    (lambda: patches("attend", inputs=("q", "k", "v", "v", "v")), "it has 5 inputs; it should have 3 to 4"),
    (
        lambda: patches("attend", heads=3, key_heads=3),
        "its 8 channels of queries, 8 of keys and 8 of values do not fit 3 heads of queries and 3 of keys",
    ),
    (lambda: patches("attend", heads=2, key_heads=4), "do not fit 2 heads of queries and 4 of keys"),
    (lambda: patches("attend", heads=4, key_heads=2), "do not fit 4 heads of queries and 2 of keys"),
    (lambda: patches("attend", inputs=("q", "x", "v")), "its input has shape (3, 4, 6); it should be (channels, 1"),
    (
        lambda: patches("attend", inputs=("q", "k", "v", "q")),
        "its inputs have shapes [(8, 1, 13), (8, 1, 13), (8, 1, 13), (8, 1, 13)]: keys, values and mask differ",
    ),
    (lambda: of_rows("input_ids"), "the input has shape (3, 1, 300); for texts it should be (1, 1, tokens)"),
    (lambda: of_rows(*TEXT, "token_type_ids", shape=(3, 300)), "should be (channels, height, width) or (features,)"),
    (
        lambda: of_rows("input_ids", "labels", "attention_mask"),
        "the input's rows are 'input_ids', 'labels', 'attention_mask'",
    ),
    (
        lambda: of_rows("input_ids", "input_ids", "attention_mask"),
        "'attention_mask'; they should be input_ids and others of input_ids, attention_mask,",
    ),
    (
        lambda: replace(
            behind(Node("activation", "a", ("e",), "y", {"kind": "relu"})), tokens=("attention_mask", "token_type_ids")
        ),
        "the input's rows are 'attention_mask', 'token_type_ids'; they should be input_ids and others of",
    ),
    (
        lambda: replace(patch_network(), tokens=(*TEXT, "token_type_ids")),
        "the input has shape (3, 4, 6); for texts it should be (3, 1, tokens)",
    ),
    # Right at the longest alone.
    (lambda: text("placed", positions=(12, 299)), "positions has shape (12, 299); it should be (12, 300 or more)"),
    (
        lambda: behind(Node("reshape", "flat", ("e",), "y", {"shape": [64]})),
        "for texts of 2 tokens: node 'flat' ('reshape'): it makes (64,) of (4, 1, 2); it should make (8,)",
    ),
    (
        lambda: behind(Node("tokens", "cut", ("e",), "y", {"start": 3, "stop": 4})),
        "for texts of 2 tokens: node 'cut' ('tokens'): it takes tokens 3 to 4 of 2",
    ),
    (
        lambda: behind(window("max_pool", 3, 1, "y")),
        "for texts of 2 tokens: node 'max_pool y' ('max_pool'): its kernel of 1 x 3 pixels does not fit 1 x 2 pixels",
    ),
    (
        lambda: behind(window("max_pool", 2, 1, "y")),
        "the output has shape (4, 1, 1) for texts of 2 tokens; it should have 2 as well, or be the same for all texts",
    ),
    # Halves and thirds of some lengths are equal however they are rounded, and of others not.
    (
        lambda: behind(
            window("max_pool", 1, 3, "p"),
            window("max_pool", 2, 3, "q"),
            Node("add", "sum", ("p", "q"), "s"),
            Node("adaptive_avg_pool", "mean", ("s",), "y", {"output": [1, 1]}),
            length=6,
        ),
        "node 'max_pool p' ('max_pool'): it moves by 3 tokens; for texts of any length it should be by 1",
    ),
]


@pytest.mark.parametrize(("graph", "complaint"), MALFORMED, ids=[complaint for _, complaint in MALFORMED])
def test_what_is_malformed_is_told_in_one_line(graph: Callable[[], Graph], complaint: str) -> None:
    with pytest.raises(RuntimeFileError) as caught:
        require_valid(graph())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_shapes_of_sequences() -> None:
    shapes = require_valid(patch_network())
    assert [shapes[name] for name in ("c", "r", "qkv", "k", "a", "f", "y")] == [
        (8, 2, 6),
        (8, 1, 13),
        (24, 1, 13),
        (8, 1, 13),
        (8, 1, 13),
        (8, 1, 1),
        (5,),
    ]
    shapes = require_valid(text_network())
    assert [shapes[name] for name in ("w", "p", "q", "m", "a", "y")] == [
        (12, 1, 300),
        (12, 1, 300),
        (16, 1, 300),
        (1, 1, 300),
        (12, 1, 300),
        (4,),
    ]


def test_what_fits_one_length_only_is_fine_for_images() -> None:
    """Or for whatever is always as long."""
    for graph in (
        behind(Node("reshape", "flat", ("e",), "y", {"shape": [64]}), shown=False),
        behind(window("max_pool", 2, 2, "y"), shown=False),
    ):
        require_valid(graph)


@pytest.mark.parametrize("length", [2, 3, 4, 16])
def test_a_valid_network_for_texts_takes_any_length(length: int) -> None:
    """Also where the longest text has few tokens, and where the answer is as long as the text."""
    graph = behind(Node("conv", "mix", ("e",), "y", POINT, {"weight": "w"}), length=length, w=zeros(3, 4, 1, 1))
    for tokens in range(2, length + 1):
        assert require_valid(graph.of_length(tokens))["y"] == (3, 1, tokens)


def test_random_networks_for_texts_take_all_lengths() -> None:
    for seed in range(12):
        graph = random_text(seed)
        require_valid(graph)
        for length in range(2, min(40, graph.input_shape[-1])):
            require_valid(graph.of_length(length))


def test_networks_said_to_hide_padding_do() -> None:
    """The answer to a text does not change with what is behind it, but for the mask that hides that."""
    said = 0
    for seed in range(30):
        graph = random_text(seed)
        longest = graph.input_shape[-1]
        assert hides_padding(graph, require_valid(graph), require_valid(graph.of_length(2)))
        for count in {2, longest - 1} - {1, longest}:
            rows = inputs(graph, 1).astype(np.float64)
            rows[..., count:] = 0
            whole, alone = interpret(graph, rows), interpret(graph.of_length(count), rows[..., :count])
            np.testing.assert_allclose(whole[..., :count] if whole.ndim == 4 else whole, alone, atol=1e-9, rtol=1e-9)
            said += 1
    assert said > 40
