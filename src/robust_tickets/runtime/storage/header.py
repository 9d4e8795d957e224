"""A file's header: the graph, the metadata and the table of weights, as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NoReturn

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.rules.attributes import is_integer, is_integers
from robust_tickets.runtime.rules.shapes import LARGEST_VALUE
from robust_tickets.runtime.storage.encoding import CODINGS, DTYPES, ENCODINGS, StoredWeight, group_shape

LARGEST_HEADER = 2**23
"""Bytes; a network of a thousand layers needs half a million."""


@dataclass(frozen=True)
class Header:
    """What a file says before its weights."""

    graph: Graph
    """Without its weights."""
    weights: tuple[StoredWeight, ...]
    """In the order in which they lie in the file."""

    def with_weights(self, weights: dict[str, Weight]) -> Graph:
        """Return the whole graph."""
        return replace(self.graph, weights=weights)


def header_bytes(graph: Graph, weights: Sequence[StoredWeight]) -> bytes:
    """Return the header as UTF-8.

    Raises:
        RuntimeFileError: it would be longer than `LARGEST_HEADER`.
    """
    content = {
        "input": graph.input,
        "input_shape": graph.input_shape,
        "output": graph.output,
        "nodes": [
            {
                "op": node.op,
                "name": node.name,
                "inputs": node.inputs,
                "output": node.output,
                "attributes": dict(node.attributes),
                "weights": dict(node.weights),
            }
            for node in graph.nodes
        ],
        "metadata": dict(graph.metadata),
        "weights": [vars(weight) for weight in weights],
    } | ({"tokens": graph.tokens} if graph.tokens else {})
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > LARGEST_HEADER:
        raise RuntimeFileError(f"the graph and its metadata need {len(text)} bytes; the limit is {LARGEST_HEADER}")
    return text


def parse_header(text: bytes) -> Header:
    """Return what a header says, every part of the type it should have.

    `operations.require_valid` looks at what it means.

    Raises:
        RuntimeFileError: it is not such a header.
    """
    try:
        content = json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RuntimeFileError(f"its header is not valid JSON ({error})") from None
    rows = content.pop("tokens", []) if isinstance(content, dict) else []
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise RuntimeFileError("its header: tokens should be a list of names")
    parts = _parts(
        content, "its header", input=str, input_shape=list, output=str, nodes=list, metadata=dict, weights=list
    )
    graph = Graph(
        input=parts["input"],
        input_shape=tuple(parts["input_shape"]),
        nodes=tuple(_node(node, f"node {index} of its header") for index, node in enumerate(parts["nodes"])),
        output=parts["output"],
        weights={},
        metadata=parts["metadata"],
        tokens=tuple(rows),
    )
    weights = tuple(_stored(entry, f"weight {index} of its header") for index, entry in enumerate(parts["weights"]))
    if len({weight.name for weight in weights}) != len(weights):
        raise RuntimeFileError("two weights of its header have the same name")
    return Header(graph, weights)


def _node(content: object, where: str) -> Node:
    parts = _parts(content, where, op=str, name=str, inputs=list, output=str, attributes=dict, weights=dict)
    if not all(isinstance(name, str) for name in (*parts["inputs"], *parts["weights"].values())):
        raise RuntimeFileError(f"{where}: inputs and weights should be names")
    return Node(**{**parts, "inputs": tuple(parts["inputs"])})


def _stored(content: object, where: str) -> StoredWeight:
    parts = _parts(
        content, where, name=str, shape=list, encoding=str, groups=int, coding=str, index_bytes=int, dtype=str
    )
    for key, choices in (("encoding", ENCODINGS), ("coding", CODINGS), ("dtype", DTYPES)):
        if parts[key] not in choices:
            raise RuntimeFileError(f"{where}: {key} {parts[key][:40]!r} should be one of {', '.join(choices)}")
    shape = parts["shape"]
    if not is_integers(shape, (1, 2, 4), 1, LARGEST_VALUE) or prod(shape) > LARGEST_VALUE:
        raise RuntimeFileError(f"{where}: its shape should have 1, 2 or 4 sides and at most {LARGEST_VALUE} elements")
    if not is_integer(parts["index_bytes"], 0, LARGEST_VALUE):
        raise RuntimeFileError(f"{where}: index_bytes should be 0 to {LARGEST_VALUE}")
    most = prod(shape) // prod(group_shape(parts["encoding"], shape))
    dense = parts["encoding"] == "dense"
    if not is_integer(parts["groups"], most if dense else 0, most):
        raise RuntimeFileError(f"{where}: groups should be {'' if dense else 'at most '}{most}")
    if dense != (parts["coding"] == "none") or (dense and parts["index_bytes"]):
        raise RuntimeFileError(f"{where}: only a dense weight has no indices")
    return StoredWeight(**{**parts, "shape": tuple(shape)})


def _parts(content: object, where: str, **types: type) -> dict[str, Any]:
    if not isinstance(content, dict) or content.keys() != types.keys():
        raise RuntimeFileError(f"{where} should be an object of {', '.join(types)}")
    for key, wanted in types.items():
        if type(content[key]) is not wanted:
            raise RuntimeFileError(f"{where}: {key} should be the JSON counterpart of {wanted.__name__}")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
