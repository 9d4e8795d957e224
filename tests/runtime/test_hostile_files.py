"""Whatever is done to a file, reading it refuses it in one line, or gives a graph that can be executed.

A file whose digest is right is not thereby honest: most of these carry a digest made for them.
"""

import copy
import hashlib
import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.runtime.storage.file import BEGIN, MAGIC, PREAMBLE, VERSION, read_file, write_file

from .graphs import every_operation, patch_network, text_network

COSTLY = 2**20
"""Elements of all values together, beyond which a graph is not executed here: it is valid, and takes long."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good file."""
    path = tmp_path_factory.mktemp("good") / "a.rtk"
    write_file(every_operation(), path)
    return path.read_bytes()


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return the header and the bytes of the weights."""
    header_length = PREAMBLE.unpack(content[: PREAMBLE.size])[3]
    return content[BEGIN : BEGIN + header_length], content[BEGIN + header_length + -header_length % 64 :]


def signed(header: bytes, binary: bytes) -> bytes:
    """Return a file with right lengths and a right digest."""
    body = header + bytes(-len(header) % 64) + binary
    preamble = PREAMBLE.pack(MAGIC, VERSION, 0, len(header), BEGIN + len(body))
    return preamble + hashlib.sha256(preamble + body).digest() + body


def outcome(path: Path, content: bytes) -> str:
    """Return "read" or what a file of this content is refused with; anything else is a failure."""
    path.write_bytes(content)
    try:
        graph = read_file(path)
    except RuntimeFileError as error:
        refusal = str(error)
    else:
        execute(graph)
        return "read"
    assert refusal.isprintable(), "one line, without control characters"
    assert len(refusal) < 600
    return refusal


def execute(graph: Graph) -> None:
    shapes = require_valid(graph)
    sizes = [prod(shape) for shape in shapes.values()] + [prod(weight.shape) for weight in graph.weights.values()]
    if sum(sizes) < COSTLY:
        output = interpret(graph, np.zeros((1, *graph.input_shape), np.float32))
        assert output.shape[1:] == shapes[graph.output]


def test_every_change_without_a_new_digest_is_noticed(content: bytes, tmp_path: Path) -> None:
    rng = random.Random(0)
    path = tmp_path / "a.rtk"
    changed = []
    for position in [*range(BEGIN + 16), *(rng.randrange(len(content)) for _ in range(800))]:
        changed.append(
            content[:position] + bytes([content[position] ^ 1 << rng.randrange(8)]) + content[position + 1 :]
        )
        changed.append(content[:position])
    for _ in range(400):
        position, count = rng.randrange(len(content)), rng.randrange(1, 100)
        changed.append(content[:position] + rng.randbytes(count) + content[position:])
        changed.append(content[:position] + content[position + count :])
    for one in changed:
        assert outcome(path, one) != "read"
    assert len(changed) > 2500


def test_signed_changes_of_the_weights(content: bytes, tmp_path: Path) -> None:
    header, binary = split(content)
    rng = random.Random(1)
    outcomes = []
    for _ in range(500):
        changed = bytearray(binary)
        for _ in range(rng.choice([1, 1, 4, 64])):
            changed[rng.randrange(len(changed))] = rng.choice([0, 1, 127, 254, 255, rng.randrange(256)])
        if rng.random() < 0.05:
            changed = changed[: rng.randrange(len(changed))]
        outcomes.append(outcome(tmp_path / "a.rtk", signed(header, bytes(changed))))
    assert 50 < outcomes.count("read") < 450, "some must be harmless, and some must not"


def test_signed_changes_of_the_text_of_the_header(content: bytes, tmp_path: Path) -> None:
    header, binary = split(content)
    rng = random.Random(2)
    outcomes = []
    for _ in range(1200):
        position = rng.randrange(len(header))
        piece = rng.choice([b"", b"0", b"9", b"-", b"1e999", b"NaN", b"[", b"]", b"}", b'"', b",", rng.randbytes(1)])
        outcomes.append(outcome(tmp_path / "a.rtk", signed(header[:position] + piece + header[position + 1 :], binary)))
    assert outcomes.count("read") < 600


STRANGE: list[Any] = [
    *(0, 1, 2, 3, 7, 8, 64, -1, 255, 2**16, 2**28, 2**31, 2**32, 2**63, 10**30, 0.5, -1e308, 1e-40),
    *(
        None,
        True,
        False,
        "",
        "x",
        "conv",
        "dense",
        "element",
        "filter",
        "block8x1",
        "gaps",
        "bitmap",
        "float16",
        "relu",
    ),
    *("attention", "input_ids", "token_type_ids", "attention_mask"),
    *("\ud800", "a\nb", "x" * 1000, [], {}, [[]], [1], [1, 1], [2**20, 2**20], [2**31] * 4, [[[[[[[[1]]]]]]]]),
]


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of a JSON value with each of its keys or indices."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield content, key
        yield from places(value)


def disturb(header: Any, rng: random.Random) -> None:
    """Change one thing in a parsed header: another value, one less, one twice, a copy of another."""
    everywhere = list(places(header))
    container, key = rng.choice(everywhere)
    kind = rng.random()
    if kind < 0.55:
        container[key] = copy.deepcopy(rng.choice(STRANGE))
    elif kind < 0.7:
        del container[key]
    elif kind < 0.8 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
    elif type(container[key]) is int:
        container[key] += rng.choice([-2, -1, 1, 2, 16])
    else:
        other, place = rng.choice(everywhere)
        container[key] = copy.deepcopy(other[place])


def test_signed_changes_of_what_the_header_says(content: bytes, tmp_path: Path) -> None:
    header, binary = split(content)
    rng = random.Random(3)
    outcomes = []
    for _ in range(1500):
        changed = json.loads(header)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            disturb(changed, rng)
        outcomes.append(outcome(tmp_path / "a.rtk", signed(json.dumps(changed).encode(), binary)))
    assert 10 < outcomes.count("read") < 700
    assert len({text.partition(":")[2] for text in outcomes}) > 250, "refused for many different reasons"


def shift(header: Any, rng: random.Random) -> None:
    """Change one thing in a parsed header to what might be right: another value, a number near by."""
    node = rng.choice(header["nodes"])
    numbers = [(node["attributes"], key) for key, value in node["attributes"].items() if type(value) is int]
    match rng.choice(["input", "number", "weight", "shape", "rows"]):
        case "input":
            place = rng.randrange(len(node["inputs"]))
            node["inputs"][place] = rng.choice([header["input"], *(one["output"] for one in header["nodes"])])
        case "number" if numbers:
            container, key = rng.choice(numbers)
            container[key] = rng.choice([0, 1, 2, 4, container[key] - 1, container[key] + 1, container[key] * 2])
        case "weight" if node["weights"]:
            del node["weights"][rng.choice([*node["weights"]])]
        case "shape":
            header["input_shape"][rng.randrange(3)] = rng.choice([1, 2, 3, 5, 16, 17, 40, 300])
        case "rows" if header.get("tokens"):
            rng.choice([header["tokens"].pop, header["tokens"].clear, header["tokens"].reverse])()


@pytest.mark.parametrize("network", [patch_network, text_network])
def test_signed_changes_of_sequences(network: Callable[[], Graph], tmp_path: Path) -> None:
    """What is read is executed by the engine, too, on what may be no sensible input: it may give anything."""
    write_file(network(), tmp_path / "a.rtk")
    header, binary = split((tmp_path / "a.rtk").read_bytes())
    rng = random.Random(4)
    outcomes = []
    for round in range(300):
        changed = json.loads(header)
        for _ in range(rng.choice([1, 1, 2, 3])):
            (shift if round % 3 else disturb)(changed, rng)
        outcomes.append(outcome(tmp_path / "b.rtk", signed(json.dumps(changed).encode(), binary)))
        if outcomes[-1] == "read":
            compute(read_file(tmp_path / "b.rtk"))
    assert 15 < outcomes.count("read") < 150
    assert len({text.partition(":")[2] for text in outcomes}) > 80, "refused for many different reasons"


def compute(graph: Graph) -> None:
    """Let the engine answer what may be no sensible input at all."""
    shapes = require_valid(graph)
    if sum(map(prod, shapes.values())) > COSTLY:
        return
    for length in (2, graph.input_shape[-1]) if graph.tokens else (0,):
        one = graph.of_length(length) if length else graph
        given = np.random.default_rng(0).normal(0, 1e6, (1, *one.input_shape)).astype(np.float32)
        assert Engine(one)(given).shape[1:] == require_valid(one)[one.output]


def tokens(rows: Any) -> Callable[[Any], None]:
    return lambda header: header.update(tokens=rows)


NO_ROWS = "its header: tokens should be a list of names"
TEXTS: dict[str, tuple[Callable[[Any], None], str]] = {
    "null": (tokens(None), NO_ROWS),
    "text": (tokens("input_ids"), NO_ROWS),
    "object": (tokens({"input_ids": 0}), NO_ROWS),
    "numbers": (tokens([0, 1, 2]), NO_ROWS),
    "lists": (tokens([["input_ids"]] * 3), NO_ROWS),
    "too few": (tokens(["input_ids"]), "the input has shape (3, 1, 300); for texts it should be (1, 1, tokens)"),
    "too many": (tokens(["input_ids"] * 10**5), "for texts it should be (100000, 1, tokens)"),
    "twice": (tokens(["input_ids"] * 3), "each once"),
    "unknown": (
        tokens(["input_ids", "attention_mask", "a\nb\ud800"]),
        "the input's rows are 'input_ids', 'attention_mask',",
    ),
    "long": (
        tokens(["input_ids", "attention_mask", "x" * 10**5]),
        "the input's rows are 'input_ids', 'attention_mask', 'x",
    ),
    "long texts": (lambda header: header.update(input_shape=[3, 1, 2**24]), "positions has shape (12, 300)"),
    "wide table": (lambda header: header["nodes"][0]["weights"].update(table="qkv"), "table has shape (28, 12, 1, 1)"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_headers_of_texts(tmp_path: Path, name: str) -> None:
    write_file(text_network(), tmp_path / "a.rtk")
    header, binary = split((tmp_path / "a.rtk").read_bytes())
    change, complaint = TEXTS[name]
    changed = json.loads(header)
    change(changed)
    assert complaint in outcome(tmp_path / "b.rtk", signed(json.dumps(changed).encode(), binary))


def test_a_file_without_rows_is_one_of_images(tmp_path: Path) -> None:
    write_file(text_network(), tmp_path / "a.rtk")
    header, binary = split((tmp_path / "a.rtk").read_bytes())
    for change in (tokens([]), lambda header: header.pop("tokens")):
        changed = json.loads(header)
        change(changed)
        assert outcome(tmp_path / "b.rtk", signed(json.dumps(changed).encode(), binary)) == "read"
        assert read_file(tmp_path / "b.rtk").tokens == ()


def entry(**changes: Any) -> Callable[[Any], None]:
    """Change the entry of the weight that is stored as single elements."""
    return lambda header: next(w for w in header["weights"] if w["name"] == "element").update(changes)


def many_nodes(header: Any) -> None:
    header["nodes"] *= 500


def cycle(header: Any) -> None:
    header["nodes"][1]["inputs"] = [header["nodes"][5]["output"]]


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "huge weight": (entry(shape=[2**14, 2**14, 1, 1], groups=2**28), "its weights need"),
    "huge bitmap": (entry(shape=[2**14, 2**14, 1, 1], coding="bitmap", index_bytes=2**25, groups=1), "weights need"),
    "huge product": (entry(shape=[2**28, 2**28]), "1, 2 or 4 sides and at most"),
    "more groups than there are": (entry(groups=16 * 16 * 9 + 1), "groups should be at most 2304"),
    "negative groups": (entry(groups=-1), "groups should be at most"),
    "negative bytes": (entry(index_bytes=-64), "index_bytes should be 0 to"),
    "blocks that do not divide": (entry(encoding="block16x1", shape=[15, 16, 3, 3]), "cannot be stored as block16x1"),
    "cycle": (cycle, "is not the graph's input or an earlier node's output"),
    "many nodes": (many_nodes, "nodes; it should have 1 to 16384"),
    "no graph": (lambda header: header.clear(), "its header should be an object of input, input_shape"),
    "weight twice": (lambda header: header["weights"].append(header["weights"][0]), "have the same name"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused_without_large_allocations(content: bytes, tmp_path: Path, name: str) -> None:
    header, binary = split(content)
    change, complaint = HOSTILE[name]
    changed = json.loads(header)
    change(changed)
    hostile = signed(json.dumps(changed).encode(), binary)
    tracemalloc.start()
    refusal = outcome(tmp_path / "a.rtk", hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert complaint in refusal
    assert peak < 20 * len(hostile) + 2**20


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (b"[" * 10**6, "its header is not valid JSON"),
        (b'{"a":' * 10**6, "its header is not valid JSON"),
        (b'{"input_shape":[' + b"9" * 10**5 + b"]}", "its header is not valid JSON"),
        (b"\xff\xfe{}", "its header is not valid JSON"),
        (b"NaN", "NaN is not JSON"),
        (b"[]", "its header should be an object"),
        (b" ", "its header is not valid JSON"),
        (b" " * 2**23 + b"{}", "is damaged in its first bytes"),
    ],
    ids=["deep lists", "deep objects", "long number", "not UTF-8", "NaN", "list", "nothing", "too long"],
)
def test_headers_that_are_no_such_json(content: bytes, tmp_path: Path, header: bytes, complaint: str) -> None:
    assert complaint in outcome(tmp_path / "a.rtk", signed(header, split(content)[1]))


def test_a_sparse_weight_of_a_quarter_of_a_billion_elements_is_read_as_its_one_nonzero(tmp_path: Path) -> None:
    """Valid, so read; and what is read is as small as the file."""
    shape = [2**14, 2**14]
    node = {"op": "linear", "name": "l", "inputs": ["x"], "output": "y", "attributes": {}, "weights": {"weight": "w"}}
    weight = {"name": "w", "shape": shape, "encoding": "element", "groups": 1, "coding": "gaps", "index_bytes": 2}
    header = {"input": "x", "input_shape": [2**14], "output": "y", "nodes": [node], "metadata": {}}
    header["weights"] = [{**weight, "dtype": "float32"}]
    binary = bytes([255, 7]) + bytes(62) + np.array([1.5], np.float32).tobytes() + bytes(60)
    (tmp_path / "a.rtk").write_bytes(signed(json.dumps(header).encode(), binary))
    tracemalloc.start()
    read = read_file(tmp_path / "a.rtk").weights["w"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert read.positions is not None
    assert (read.positions.tolist(), read.values.tolist()) == ([262], [1.5])
