"""The operations that a graph may hold, and the check that it holds nothing else.

A graph that `require_valid` accepts can be executed as it is: every shape is known, every weight fits, and nothing
in it can lead an engine to read or write outside its buffers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from reprlib import Repr

import numpy as np

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Shape, Weight
from robust_tickets.runtime.rules import shapes
from robust_tickets.runtime.rules.attributes import (
    LARGEST_LENGTH,
    LARGEST_WINDOW,
    Attribute,
    boolean,
    choice,
    integer,
    integers,
    is_integers,
    number,
)
from robust_tickets.runtime.rules.lengths import require_any_length
from robust_tickets.runtime.rules.shapes import LARGEST_VALUE

ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "relu": (),
    "relu6": (),
    "clip": ("min", "max"),
    "leaky_relu": ("slope",),
    "elu": ("alpha",),
    "silu": (),
    "gelu": (),
    "gelu_tanh": (),
    "hardswish": (),
    "hardsigmoid": (),
    "sigmoid": (),
    "tanh": (),
    "mish": (),
}
"""Kind of activation -> the parameters that it needs; all as torch defines them."""
HIDDEN = -1e30
"""Score of a key that nobody attends to: finite, so that keys of which that is true of all make no NaN."""
MOST_NODES = 2**14
MOST_INPUTS = 2**10
LONGEST_NAME = 512
"""Characters of the name of a node, a value or a weight."""


@dataclass(frozen=True)
class Operation:
    """What a node of one kind is made of."""

    shape: Callable[[shapes.Shapes, shapes.Attributes, shapes.WeightShapes], Shape]
    """Shapes of the inputs, attributes, shapes of the weights -> shape of the output, or `RuntimeFileError`."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    weights: Mapping[str, bool] = field(default_factory=dict)
    """Role -> whether it is required."""
    inputs: tuple[int, int] = (1, 1)
    """Fewest and most."""


def _activation_shape(inputs: shapes.Shapes, attributes: shapes.Attributes, weights: shapes.WeightShapes) -> Shape:
    wanted = ACTIVATIONS[attributes["kind"]]
    if set(wanted) != attributes.keys() - {"kind"}:
        given = ", ".join(sorted(attributes.keys() - {"kind"})) or "nothing"
        raise RuntimeFileError(
            f"{attributes['kind']} takes {', '.join(wanted) or 'no parameter'}, but is given {given}"
        )
    if attributes["kind"] == "clip" and attributes["min"] > attributes["max"]:
        raise RuntimeFileError(f"clip has min {attributes['min']} above max {attributes['max']}")
    return shapes.same_shape(inputs, attributes, weights)


_TWO = integers((2,), 1, LARGEST_WINDOW)
_FOUR = integers((4,), 0, LARGEST_WINDOW)
_MATRIX = {"weight": True, "bias": False}
_SCALE = {"scale": True, "shift": True}

OPERATIONS: dict[str, Operation] = {
    # weight [O, I/groups, kh, kw], bias [O]; padding with zeros: top, left, bottom, right.
    "conv": Operation(
        shapes.conv_shape,
        {"stride": _TWO, "padding": _FOUR, "dilation": _TWO, "groups": integer(1, LARGEST_LENGTH)},
        _MATRIX,
    ),
    # weight [O, F], bias [O].
    "linear": Operation(shapes.linear_shape, {}, _MATRIX),
    "activation": Operation(
        _activation_shape,
        {
            "kind": choice(*ACTIVATIONS),
            "min": number().optional(),
            "max": number().optional(),
            "slope": number().optional(),
            "alpha": number().optional(),
        },
    ),
    # x * scale + shift, each [C].
    "affine": Operation(shapes.same_shape, {}, _SCALE),
    "add": Operation(shapes.broadcast_shape, inputs=(2, 2)),
    "mul": Operation(shapes.broadcast_shape, inputs=(2, 2)),
    "concat": Operation(shapes.concat_shape, inputs=(1, MOST_INPUTS)),
    "slice": Operation(shapes.slice_shape, {"start": integer(0, LARGEST_LENGTH), "stop": integer(1, LARGEST_LENGTH)}),
    # torch's channel_shuffle: channel c goes to c % (C / groups) * groups + c // (C / groups).
    "shuffle": Operation(shapes.shuffle_shape, {"groups": integer(1, LARGEST_LENGTH)}),
    # ceil_mode is a larger padding at the bottom and the right; see `shapes.average_divisors` for what counts.
    "max_pool": Operation(shapes.pool_shape, {"kernel": _TWO, "stride": _TWO, "padding": _FOUR, "dilation": _TWO}),
    "avg_pool": Operation(
        shapes.pool_shape, {"kernel": _TWO, "stride": _TWO, "padding": _FOUR, "count_include_pad": boolean()}
    ),
    "adaptive_avg_pool": Operation(shapes.adaptive_shape, {"output": _TWO}),
    # Row-major.
    "reshape": Operation(shapes.reshape_shape, {"shape": integers((1, 3), 1, LARGEST_VALUE)}),
    # Over the channels, at each pixel: (x - mean) / sqrt(biased variance + epsilon) * scale + shift, each [C].
    "layer_norm": Operation(shapes.same_shape, {"epsilon": number(1e-12, 1.0)}, _SCALE),
    # Sequences are maps of one row: the features of a token are the channels of a pixel.
    # The pixels of a map row by row, behind some tokens that are the same for all images; plus positions.
    "sequence": Operation(shapes.sequence_shape, {}, {"first": False, "positions": False}),
    "tokens": Operation(shapes.tokens_shape, {"start": integer(0, LARGEST_LENGTH), "stop": integer(1, LARGEST_LENGTH)}),
    # Column t is row input[row, t] of the table, [V, C], rounded towards 0; the nearest there is if there is none such.
    "embed": Operation(shapes.embed_shape, {"row": integer(0, LARGEST_LENGTH)}, {"table": True}),
    # For each head, softmax(scale * queries^T keys + bias) over the keys whose mask is not 0, times values; a head of
    # keys and values serves as many of queries one after another as there are.
    "attention": Operation(
        shapes.attention_shape,
        {
            "heads": integer(1, LARGEST_LENGTH),
            "key_heads": integer(1, LARGEST_LENGTH),
            "scale": number(1e-6, 1e6),
        },
        {"bias": False},
        inputs=(3, 4),
    ),
}


def require_valid(graph: Graph) -> dict[str, Shape]:
    """Return the shape of every value, without the batch: the input first, then in the order of the nodes.

    Of a network for texts those of the longest; that there may be fewer tokens has been made sure of.

    Raises:
        RuntimeFileError: something is malformed: an unknown operation, a wrong attribute, a weight that does not
            fit or is not finite, a value used before it is defined or never, two of the same name.
    """
    if not is_integers(graph.input_shape, (1, 3), 1, LARGEST_LENGTH) or prod(graph.input_shape) > LARGEST_VALUE:
        raise RuntimeFileError(
            f"the input has shape {_short(graph.input_shape)}; it should be (channels, height, width) or (features,) "
            f"with at most {LARGEST_VALUE} elements"
        )
    if not 1 <= len(graph.nodes) <= MOST_NODES:
        raise RuntimeFileError(f"the graph has {len(graph.nodes)} nodes; it should have 1 to {MOST_NODES}")
    _require_name("the input", graph.input)
    for name, weight in graph.weights.items():
        _require_weight(name, weight)
    values = _values(graph)
    if graph.output not in values:
        raise RuntimeFileError(f"the graph's output {_short(graph.output)} is not the output of any node")
    _refuse_unused(graph, values)
    if graph.tokens:
        require_any_length(graph, _values)
    for key, text in graph.metadata.items():
        if not _is_text(key) or not _is_text(text):
            raise RuntimeFileError(f"metadata {_short(key)} is {_short(text)}; it should be text")
    return values


def _values(graph: Graph) -> dict[str, Shape]:
    """Return the shape of every value of a graph whose weights are as they should be."""
    values = {graph.input: tuple(graph.input_shape)}
    names: set[str] = set()
    for node in graph.nodes:
        where = f"node {_short(node.name)} ({_short(node.op)})"
        _require_name(f"{where}: its name", node.name)
        _require_name(f"{where}: its output", node.output)
        if node.name in names:
            raise RuntimeFileError(f"{where}: two nodes have this name")
        if node.output in values:
            raise RuntimeFileError(f"{where}: value {_short(node.output)} is defined twice")
        names.add(node.name)
        try:
            values[node.output] = _output_shape(node, values, graph.weights)
        except RuntimeFileError as error:
            raise RuntimeFileError(f"{where}: {error}") from None
    return values


def _output_shape(node: Node, values: Mapping[str, Shape], weights: Mapping[str, Weight]) -> Shape:
    operation = OPERATIONS.get(node.op)
    if operation is None:
        raise RuntimeFileError(f"unknown operation; it should be one of {', '.join(OPERATIONS)}")
    fewest, most = operation.inputs
    if not fewest <= len(node.inputs) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise RuntimeFileError(f"it has {len(node.inputs)} inputs; it should have {wanted}")
    for name in node.inputs:
        if name not in values:
            raise RuntimeFileError(f"its input {_short(name)} is not the graph's input or an earlier node's output")
    for name, attribute in operation.attributes.items():
        if name in node.attributes:
            if not attribute.accepts(node.attributes[name]):
                raise RuntimeFileError(f"{name} is {_short(node.attributes[name])}; it should be {attribute.expected}")
        elif attribute.required:
            raise RuntimeFileError(f"it lacks {name}, which should be {attribute.expected}")
    for name in (
        *node.attributes.keys() - operation.attributes.keys(),
        *node.weights.keys() - operation.weights.keys(),
    ):
        raise RuntimeFileError(f"it has {_short(name)}, which this operation does not take")
    for role, required in operation.weights.items():
        if required and role not in node.weights:
            raise RuntimeFileError(f"it lacks its {role}")
        if role in node.weights and node.weights[role] not in weights:
            raise RuntimeFileError(f"its {role} {_short(node.weights[role])} is not among the weights")
    shape = operation.shape(
        [values[name] for name in node.inputs],
        node.attributes,
        {role: tuple(weights[name].shape) for role, name in node.weights.items()},
    )
    if prod(shape) > LARGEST_VALUE:
        raise RuntimeFileError(f"its output {shape} has more than {LARGEST_VALUE} elements")
    return shape


def _require_weight(name: str, weight: Weight) -> None:
    where = f"weight {_short(name)}"
    _require_name(f"{where}: its name", name)
    if not is_integers(weight.shape, (1, 2, 4), 1, LARGEST_VALUE) or prod(weight.shape) > LARGEST_VALUE:
        raise RuntimeFileError(
            f"{where}: shape {_short(weight.shape)}; it should have 1, 2 or 4 sides and at most "
            f"{LARGEST_VALUE} elements"
        )
    size, positions, values = prod(weight.shape), weight.positions, weight.values
    if values.dtype != np.float32 or values.ndim != 1:
        raise RuntimeFileError(
            f"{where}: values are {values.dtype} with {values.ndim} axes; they should be float32 with 1"
        )
    if positions is None:
        if values.size != size:
            raise RuntimeFileError(f"{where}: {values.size} values for shape {tuple(weight.shape)}")
    elif positions.dtype != np.int64 or positions.shape != values.shape:
        raise RuntimeFileError(f"{where}: positions should be int64, one per value, of which there are {values.size}")
    elif positions.size and (positions[0] < 0 or positions[-1] >= size or (np.diff(positions) <= 0).any()):
        raise RuntimeFileError(f"{where}: positions should ascend strictly within {size} elements")
    if not np.isfinite(values).all():
        raise RuntimeFileError(f"{where}: it contains NaN or infinity")


def _refuse_unused(graph: Graph, values: Mapping[str, Shape]) -> None:
    used = {graph.output, *(name for node in graph.nodes for name in node.inputs)}
    for name in values:
        if name not in used:
            raise RuntimeFileError(f"value {_short(name)} is not used by any node and is not the graph's output")
    used = {name for node in graph.nodes for name in node.weights.values()}
    for name in graph.weights:
        if name not in used:
            raise RuntimeFileError(f"weight {_short(name)} is not used by any node")


def _require_name(where: str, name: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise RuntimeFileError(f"{where} is {_short(name)}; it should be 1 to {LONGEST_NAME} printable characters")


def _is_text(value: object) -> bool:
    # A lone surrogate, which JSON can spell, is a str that cannot be printed or written again.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 100


def _short(value: object) -> str:
    return _BRIEF.repr(value)
