"""Rules of shapes: what an operation's output is, given its inputs, attributes and weights.

Every rule takes the shapes of the inputs (without the batch), the node's attributes and the shapes of its weights,
and returns the output's shape, or raises `RuntimeFileError` with what does not fit;
`operations.require_valid` adds the node.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Shape
from robust_tickets.runtime.rules.attributes import LARGEST_WINDOW

Shapes = Sequence[Shape]
Attributes = Mapping[str, Any]
WeightShapes = Mapping[str, Shape]

LARGEST_VALUE = 2**28
"""Most elements of one value of one image, and of one weight: a gibibyte, so that offsets in bytes fit int32."""

LARGEST_VOCABULARY = 2**24
"""Numbers up to this are exact in float32."""


def window_outputs(length: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Return how many windows fit along one axis of `length` pixels, padded on both ends."""
    return (length + before + after - dilation * (kernel - 1) - 1) // stride + 1


def average_divisors(shape: Shape, attributes: Attributes) -> NDArray[np.float32]:
    """Return what each sum of an average pooling is divided by, float32 [output height, output width].

    As torch counts: with `count_include_pad` padding counts like pixels, but only as far as it is symmetric, because
    what the bottom (right) has beyond the top (left) is what `ceil_mode` added, which never counts.
    """
    (height, width), (top, left, _, _) = shape[1:], attributes["padding"]
    _, rows, columns = pool_shape([shape], attributes, {})
    counts = []
    for axis, (length, before, outputs) in enumerate(((height, top, rows), (width, left, columns))):
        start = np.arange(outputs) * attributes["stride"][axis] - before
        stop = np.minimum(start + attributes["kernel"][axis], length + before)
        if not attributes["count_include_pad"]:
            start, stop = np.maximum(start, 0), np.minimum(stop, length)
        counts.append((stop - start).astype(np.float32))
    return counts[0][:, None] * counts[1]


def adaptive_bounds(length: int, outputs: int) -> list[tuple[int, int]]:
    """Return start and stop of each window of an adaptive pooling along one axis; they may overlap."""
    return [(index * length // outputs, -(-(index + 1) * length // outputs)) for index in range(outputs)]


def conv_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(C,H,W) with weight [O, C/groups, kh, kw] gives (O, H', W')."""
    channels, height, width = _image(inputs[0])
    weight, groups = weights["weight"], attributes["groups"]
    if len(weight) != 4:
        raise RuntimeFileError(f"weight has shape {weight}; it should be (outputs, inputs / groups, height, width)")
    if channels % groups or weight[0] % groups or weight[1] != channels // groups:
        raise RuntimeFileError(
            f"weight has shape {weight}, which does not fit {channels} input channels in {groups} groups"
        )
    if max(weight[2:]) > LARGEST_WINDOW:
        raise RuntimeFileError(
            f"weight has shape {weight}; its kernels should have at most {LARGEST_WINDOW} pixels per side"
        )
    _vector("bias", weight[0], weights)
    return (weight[0], *_windows((channels, height, width), weight[2:], attributes, attributes["dilation"]))


def linear_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(F,) with weight [O, F] gives (O,)."""
    if len(inputs[0]) != 1:
        raise RuntimeFileError(f"its input has shape {inputs[0]}; it should be (features,): reshape it first")
    weight = weights["weight"]
    if len(weight) != 2 or weight[1] != inputs[0][0]:
        raise RuntimeFileError(f"weight has shape {weight}; it should be (outputs, {inputs[0][0]})")
    _vector("bias", weight[0], weights)
    return (weight[0],)


def same_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """The input's shape; scale and shift, if there are any, are [C]."""
    _vector("scale", inputs[0][0], weights)
    _vector("shift", inputs[0][0], weights)
    return inputs[0]


def broadcast_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """Two equal shapes, or (C,H,W) and (C,1,1) in either order."""
    small, large = sorted(inputs, key=prod)
    if small == large or (len(large) == 3 and small == (large[0], 1, 1)):
        return large
    raise RuntimeFileError(
        f"its inputs have shapes {inputs[0]} and {inputs[1]}; they should be equal, or one of them (C, 1, 1)"
    )


def concat_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """The sum of the channels; everything else equal."""
    for first, second in pairwise(inputs):
        if first[1:] != second[1:]:
            raise RuntimeFileError(f"its inputs have shapes {first} and {second}, which differ in more than channels")
    return (sum(shape[0] for shape in inputs), *inputs[0][1:])


def slice_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """Channels [start, stop)."""
    start, stop = attributes["start"], attributes["stop"]
    if not start < stop <= inputs[0][0]:
        raise RuntimeFileError(f"it takes channels {start} to {stop} of {inputs[0][0]}")
    return (stop - start, *inputs[0][1:])


def shuffle_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """The input's shape; the groups divide its channels."""
    channels, _, _ = _image(inputs[0])
    if channels % attributes["groups"]:
        raise RuntimeFileError(f"{channels} channels do not divide into {attributes['groups']} groups")
    return inputs[0]


def pool_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(C,H,W) gives (C,H',W'); every window holds a pixel."""
    channels, height, width = _image(inputs[0])
    kernel, dilation = attributes["kernel"], attributes.get("dilation", (1, 1))
    outputs = _windows((channels, height, width), kernel, attributes, dilation)
    for axis, length in enumerate((height, width)):
        stride, before = attributes["stride"][axis], attributes["padding"][axis]
        # The windows that begin before the first pixel, and the last: all between them begin on a pixel.
        starts = [*range(-before, min(0, (outputs[axis] - 1) * stride - before + 1), stride)]
        starts.append((outputs[axis] - 1) * stride - before)
        first = [start + max(0, -(start // dilation[axis])) * dilation[axis] for start in starts]
        reach = (kernel[axis] - 1) * dilation[axis]
        if any(tap >= length or tap > start + reach for start, tap in zip(starts, first, strict=True)):
            raise RuntimeFileError(f"its padding {list(attributes['padding'])} makes windows that contain no pixel")
    if prod(kernel) * prod(outputs) > LARGEST_VALUE:
        raise RuntimeFileError(
            f"its {prod(outputs)} windows of {prod(kernel)} pixels should have at most {LARGEST_VALUE} pixels in total"
        )
    return (channels, *outputs)


def adaptive_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(C,H,W) gives (C, *output)."""
    channels, height, width = _image(inputs[0])
    rows, columns = attributes["output"]
    if rows * columns * height * width > LARGEST_VALUE:
        raise RuntimeFileError(
            f"it makes {rows} x {columns} means of {height} x {width} pixels; there should be at most "
            f"{LARGEST_VALUE} shares"
        )
    return (channels, rows, columns)


def reshape_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """Any shape gives (F,), and (C,) gives (C,1,1)."""
    before, after = inputs[0], tuple(attributes["shape"])
    if after == (prod(before),) or after == (*before, 1, 1):
        return after
    raise RuntimeFileError(f"it makes {after} of {before}; it should make ({prod(before)},), or (C, 1, 1) of (C,)")


def sequence_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(C,H,W) gives (C, 1, P + H W), with tokens `first` [C, P] before the pixels; `positions` has as many or more."""
    channels, height, width = _image(inputs[0])
    first = weights.get("first", (channels, 0))
    if len(first) != 2 or first[0] != channels:
        raise RuntimeFileError(f"first has shape {first}; it should be ({channels}, tokens)")
    length = first[1] + height * width
    if length < 2:
        raise RuntimeFileError("it makes a sequence of one token; there should be at least 2")
    positions = weights.get("positions", (channels, length))
    if len(positions) != 2 or positions[0] != channels or positions[1] < length:
        raise RuntimeFileError(f"positions has shape {positions}; it should be ({channels}, {length} or more)")
    return (channels, 1, length)


def tokens_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(C,1,T) gives tokens [start, stop)."""
    channels, length = _sequence(inputs[0])
    start, stop = attributes["start"], attributes["stop"]
    if not start < stop <= length:
        raise RuntimeFileError(f"it takes tokens {start} to {stop} of {length}")
    return (channels, 1, stop - start)


def embed_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """(R,1,T) with a table [V, C] gives (C,1,T)."""
    rows, length = _sequence(inputs[0])
    table = weights["table"]
    if len(table) != 2 or table[0] > LARGEST_VOCABULARY:
        raise RuntimeFileError(
            f"table has shape {table}; it should be (vocabulary, channels) of at most {LARGEST_VOCABULARY} rows"
        )
    if length < 2:
        raise RuntimeFileError("it reads one token; there should be room for at least 2")
    if attributes["row"] >= rows:
        raise RuntimeFileError(f"it reads row {attributes['row']} of {rows}")
    return (table[1], 1, length)


def attention_shape(inputs: Shapes, attributes: Attributes, weights: WeightShapes) -> Shape:
    """Queries (H D,1,T), keys (G D,1,S) and values (G E,1,S) of H heads in G groups give (H E,1,T).

    A mask is (1,1,S); `bias` is [H, 1, T, S].
    """
    (queries, length), (keys, others), (values, of_values) = (_sequence(shape) for shape in inputs[:3])
    heads, groups = attributes["heads"], attributes["key_heads"]
    if heads % groups or queries % heads or keys % groups or values % groups or queries // heads != keys // groups:
        raise RuntimeFileError(
            f"its {queries} channels of queries, {keys} of keys and {values} of values do not fit {heads} heads of "
            f"queries and {groups} of keys"
        )
    if others != of_values or (inputs[3:] and tuple(inputs[3]) != (1, 1, others)):
        raise RuntimeFileError(f"its inputs have shapes {list(inputs)}: keys, values and mask differ in their tokens")
    if weights.get("bias", (heads, 1, length, others)) != (heads, 1, length, others):
        raise RuntimeFileError(f"bias has shape {weights['bias']}; it should be ({heads}, 1, {length}, {others})")
    return (heads * (values // groups), 1, length)


def _sequence(shape: Shape) -> tuple[int, int]:
    """Return channels and tokens."""
    if len(shape) != 3 or shape[1] != 1:
        raise RuntimeFileError(f"its input has shape {shape}; it should be (channels, 1, tokens)")
    return shape[0], shape[2]


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise RuntimeFileError(f"its input has shape {shape}; it should be (channels, height, width)")
    return shape[0], shape[1], shape[2]


def _vector(role: str, length: int, weights: WeightShapes) -> None:
    if role in weights and weights[role] != (length,):
        raise RuntimeFileError(f"{role} has shape {weights[role]}; it should be ({length},)")


def _windows(
    shape: tuple[int, int, int], kernel: Sequence[int], attributes: Attributes, dilation: Sequence[int]
) -> tuple[int, int]:
    channels, height, width = shape
    (top, left, bottom, right), stride = attributes["padding"], attributes["stride"]
    rows = window_outputs(height, kernel[0], stride[0], top, bottom, dilation[0])
    columns = window_outputs(width, kernel[1], stride[1], left, right, dilation[1])
    if (height + top + bottom) * (width + left + right) * channels > LARGEST_VALUE:
        raise RuntimeFileError(f"its padded input has more than {LARGEST_VALUE} elements")
    if rows < 1 or columns < 1:
        raise RuntimeFileError(
            f"its kernel of {kernel[0]} x {kernel[1]} pixels does not fit {height} x {width} pixels with padding "
            f"{[top, left, bottom, right]} and dilation {list(dilation)}"
        )
    return rows, columns
