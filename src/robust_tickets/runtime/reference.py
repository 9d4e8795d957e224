"""What a graph means: every operation in plain numpy, as torch defines it. Clear, not fast; engines are held to it."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product
from math import pi, sqrt
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.rules.operations import HIDDEN, require_valid
from robust_tickets.runtime.rules.shapes import adaptive_bounds, average_divisors, window_outputs

Array = NDArray[Any]
Attributes = Mapping[str, Any]
Weights = Mapping[str, Array]


@overload
def interpret(graph: Graph, images: Array, *, values: Literal[False] = False) -> Array: ...
@overload
def interpret(graph: Graph, images: Array, *, values: Literal[True]) -> dict[str, Array]: ...
def interpret(graph: Graph, images: Array, *, values: bool = False) -> Array | dict[str, Array]:
    """Return the graph's output for images [N, *input_shape], or with `values` every value by its name.

    Computes in the dtype of the images: float32, or float64 to know what rounding does. An image that holds a NaN or
    an infinity gives NaN throughout, whatever the weights: removed weights would otherwise hide a broken image.

    Raises:
        RuntimeFileError: the graph is malformed.
        ValueError: the images are not float32 or float64 of this shape.
    """
    require_valid(graph)
    if images.dtype not in (np.float32, np.float64) or images.shape[1:] != graph.input_shape:
        raise ValueError(
            f"the images are {images.dtype} {list(images.shape)}; they should be float32 or float64 [N, "
            f"{', '.join(map(str, graph.input_shape))}]"
        )
    broken = np.flatnonzero([not np.isfinite(image).all() for image in images])
    computed = {graph.input: _filled(images, broken, 0.0)}
    last_use = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    # Weights may take inputs beyond what a float holds: the result is then infinite, in torch too, without a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for index, node in enumerate(graph.nodes):
            weights = {role: graph.weights[name].dense().astype(images.dtype) for role, name in node.weights.items()}
            inputs = [computed[name] for name in node.inputs]
            computed[node.output] = COMPUTATIONS[node.op](inputs, node.attributes, weights)
            for name in set(node.inputs):
                if not values and last_use[name] == index and name != graph.output:
                    del computed[name]
    computed = {name: _filled(value, broken, np.nan) for name, value in computed.items()}
    return computed if values else computed[graph.output]


def _filled(value: Array, images: Array, fill: float) -> Array:
    value = value.copy()
    value[images] = fill
    return value


def _conv(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    weight, groups, dilation = weights["weight"], attributes["groups"], attributes["dilation"]
    outputs, inner, *kernel = weight.shape
    padded, (rows, columns) = _padded(inputs[0], attributes, kernel, dilation, 0.0)
    images = len(padded)
    grouped = weight.reshape(groups, outputs // groups, inner, *kernel)
    result = np.zeros((images, groups, outputs // groups, rows * columns), padded.dtype)
    for row, column in product(range(kernel[0]), range(kernel[1])):
        seen = _tap(_tap(padded, 2, row, rows, attributes), 3, column, columns, attributes)
        result += grouped[..., row, column] @ seen.reshape(images, groups, inner, rows * columns)
    result = result.reshape(images, outputs, rows, columns)
    return result + _per_channel(weights["bias"], result) if "bias" in weights else result


def _linear(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    result = inputs[0] @ weights["weight"].T
    return result + weights["bias"] if "bias" in weights else result


def _affine(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    return inputs[0] * _per_channel(weights["scale"], inputs[0]) + _per_channel(weights["shift"], inputs[0])


def _activation(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    return ACTIVATIONS[attributes["kind"]](inputs[0], attributes)


def _slice(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    return inputs[0][:, attributes["start"] : attributes["stop"]]


def _shuffle(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    images, channels, *size = inputs[0].shape
    groups = attributes["groups"]
    return inputs[0].reshape(images, groups, channels // groups, *size).swapaxes(1, 2).reshape(inputs[0].shape)


def _max_pool(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    return _pooled(np.maximum, inputs[0], attributes, attributes["dilation"], -np.inf)


def _avg_pool(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    divisors = average_divisors(inputs[0].shape[1:], attributes)
    return _pooled(np.add, inputs[0], attributes, (1, 1), 0.0) / divisors.astype(inputs[0].dtype)


def _adaptive_avg_pool(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    result = inputs[0]
    for axis, outputs in zip((2, 3), attributes["output"], strict=True):
        bounds = adaptive_bounds(result.shape[axis], outputs)
        means = [result.take(range(*bound), axis).mean(axis, keepdims=True) for bound in bounds]
        result = np.concatenate(means, axis)
    return result


def _reshape(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    return inputs[0].reshape(len(inputs[0]), *attributes["shape"])


def _layer_norm(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    centred = inputs[0] - inputs[0].mean(1, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(1, keepdims=True) + attributes["epsilon"])
    return _affine([centred / deviation], attributes, weights)


def _sequence(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    images, channels, height, width = inputs[0].shape
    pixels = inputs[0].reshape(images, channels, 1, height * width)
    if "first" in weights:
        first = np.broadcast_to(weights["first"][:, None], (images, channels, 1, weights["first"].shape[1]))
        pixels = np.concatenate([first, pixels], 3)
    return pixels + weights["positions"][:, None, : pixels.shape[3]] if "positions" in weights else pixels


def _embed(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    table, numbers = weights["table"], np.nan_to_num(inputs[0][:, attributes["row"], 0])
    found = table[np.clip(numbers, 0, len(table) - 1).astype(np.int64)]
    return found.swapaxes(1, 2)[:, :, None]


def _attention(inputs: Sequence[Array], attributes: Attributes, weights: Weights) -> Array:
    heads, key_heads = attributes["heads"], attributes["key_heads"]
    query, key, value = (
        one.reshape(len(one), count, one.shape[1] // count, one.shape[-1])
        for one, count in zip(inputs, (heads, key_heads, key_heads), strict=False)
    )
    key, value = (one.repeat(heads // key_heads, 1) for one in (key, value))
    scores = query.swapaxes(2, 3) @ key * query.dtype.type(attributes["scale"])
    if "bias" in weights:
        scores = scores + weights["bias"][:, 0]
    if len(inputs) > 3:
        scores = np.where(inputs[3] != 0, scores, query.dtype.type(HIDDEN))
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return (value @ shares.swapaxes(2, 3)).reshape(len(query), heads * value.shape[2], 1, query.shape[-1])


def _per_channel(vector: Array, value: Array) -> Array:
    return vector.reshape(-1, *(1,) * (value.ndim - 2))


def _padded(
    value: Array, attributes: Attributes, kernel: Sequence[int], dilation: Sequence[int], fill: float
) -> tuple[Array, tuple[int, int]]:
    """Return the padded value, and how many windows it has in rows and in columns."""
    top, left, bottom, right = attributes["padding"]
    rows = window_outputs(value.shape[2], kernel[0], attributes["stride"][0], top, bottom, dilation[0])
    columns = window_outputs(value.shape[3], kernel[1], attributes["stride"][1], left, right, dilation[1])
    return np.pad(value, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill), (rows, columns)


def _tap(padded: Array, axis: int, tap: int, outputs: int, attributes: Attributes) -> Array:
    """Return what all windows see at one place of the kernel, along one axis."""
    stride, start = attributes["stride"][axis - 2], tap * attributes.get("dilation", (1, 1))[axis - 2]
    index = [slice(None)] * 4
    index[axis] = slice(start, start + (outputs - 1) * stride + 1, stride)
    return padded[tuple(index)]


def _pooled(combine: np.ufunc, value: Array, attributes: Attributes, dilation: Sequence[int], fill: float) -> Array:
    kernel = attributes["kernel"]
    result, sizes = _padded(value, attributes, kernel, dilation, fill)
    for axis in (2, 3):
        taps = (_tap(result, axis, tap, sizes[axis - 2], attributes) for tap in range(kernel[axis - 2]))
        result = reduce(combine, taps)
    return result


COMPUTATIONS: dict[str, Callable[[Sequence[Array], Attributes, Weights], Array]] = {
    "conv": _conv,
    "linear": _linear,
    "activation": _activation,
    "affine": _affine,
    "add": lambda inputs, attributes, weights: inputs[0] + inputs[1],
    "mul": lambda inputs, attributes, weights: inputs[0] * inputs[1],
    "concat": lambda inputs, attributes, weights: np.concatenate(inputs, 1),
    "slice": _slice,
    "shuffle": _shuffle,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "reshape": _reshape,
    "layer_norm": _layer_norm,
    "sequence": _sequence,
    "tokens": lambda inputs, attributes, weights: inputs[0][..., attributes["start"] : attributes["stop"]],
    "embed": _embed,
    "attention": _attention,
}
"""Operation -> (inputs [N, ...], attributes, dense weights by role) -> output [N, ...]."""

ACTIVATIONS: dict[str, Callable[[Array, Attributes], Array]] = {
    "relu": lambda x, given: np.maximum(x, 0),
    "relu6": lambda x, given: np.clip(x, 0, 6),
    "clip": lambda x, given: np.clip(x, given["min"], given["max"]),
    "leaky_relu": lambda x, given: np.where(x > 0, x, x * given["slope"]),
    "elu": lambda x, given: np.where(x > 0, x, given["alpha"] * np.expm1(np.minimum(x, 0))),
    "silu": lambda x, given: x * expit(x),
    "gelu": lambda x, given: 0.5 * x * (1 + erf(x * sqrt(0.5))),
    "gelu_tanh": lambda x, given: 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))),
    "hardswish": lambda x, given: x * np.clip(x + 3, 0, 6) / 6,
    "hardsigmoid": lambda x, given: np.clip(x + 3, 0, 6) / 6,
    "sigmoid": lambda x, given: expit(x),
    "tanh": lambda x, given: np.tanh(x),
    "mish": lambda x, given: x * np.tanh(np.logaddexp(0, x)),
}
"""Kind -> (value, the parameters it is given) -> value."""
