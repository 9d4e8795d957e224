"""A graph as a torch network: the same operations by torch's own functions, for checks and other engines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.runtime.graph import Graph, Node
from robust_tickets.runtime.rules.operations import HIDDEN

Weights = Mapping[str, Tensor]


class GraphNetwork(nn.Module):
    """What a graph computes, images float32 [N, C, H, W] in, its output out.

    Args:
        graph: a graph that `operations.require_valid` accepts.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.weights = nn.ParameterList()
        self.places = {name: place for place, name in enumerate(graph.weights)}
        for weight in graph.weights.values():
            self.weights.append(nn.Parameter(torch.from_numpy(weight.dense().copy()), requires_grad=False))

    def forward(self, images: Tensor) -> Tensor:
        """Return the graph's output for images [N, *input_shape]."""
        values = {self.graph.input: images}
        for node in self.graph.nodes:
            weights = {role: self.weights[self.places[name]] for role, name in node.weights.items()}
            values[node.output] = OPERATIONS[node.op](node, [values[name] for name in node.inputs], weights)
        return values[self.graph.output]


def _conv(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    (x,), given = inputs, node.attributes
    x, padding = _padded(x, given["padding"], 0.0)
    return F.conv2d(
        x, weights["weight"], weights.get("bias"), given["stride"], padding, given["dilation"], given["groups"]
    )


def _affine(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    (x,) = inputs
    shape = (-1, *(1,) * (x.dim() - 2))
    return x * weights["scale"].reshape(shape) + weights["shift"].reshape(shape)


def _max_pool(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    (x,), given = inputs, node.attributes
    x, padding = _padded(x, given["padding"], float("-inf"), [side // 2 for side in given["kernel"]])
    return F.max_pool2d(x, given["kernel"], given["stride"], padding, given["dilation"])


def _avg_pool(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    """Sums over padded windows, divided by what counts: of the padding, as much at the end as at the beginning."""
    (x,), given = inputs, node.attributes
    top, left, bottom, right = given["padding"]
    ends = min(right, left), min(bottom, top)
    counted = F.pad(torch.ones_like(x[:1, :1]), (left, ends[0], top, ends[1]), value=float(given["count_include_pad"]))
    counted = F.pad(counted, (0, right - ends[0], 0, bottom - ends[1]))
    sums = F.avg_pool2d(F.pad(x, (left, right, top, bottom)), given["kernel"], given["stride"], divisor_override=1)
    return sums / F.avg_pool2d(counted, given["kernel"], given["stride"], divisor_override=1)


def _layer_norm(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    x = inputs[0].movedim(1, -1)
    x = F.layer_norm(x, x.shape[-1:], weights["scale"], weights["shift"], node.attributes["epsilon"])
    return x.movedim(-1, 1)


def _sequence(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    x = inputs[0].flatten(2).unsqueeze(2)
    if "first" in weights:
        x = torch.cat([weights["first"][None, :, None].expand(len(x), -1, -1, -1), x], 3)
    return x + weights["positions"][None, :, None, : x.shape[3]] if "positions" in weights else x


def _embed(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    table = weights["table"]
    numbers = inputs[0][:, node.attributes["row"], 0].clamp(0, len(table) - 1)
    return F.embedding(numbers.long(), table).movedim(2, 1).unsqueeze(2)


def _attention(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    heads, groups = node.attributes["heads"], node.attributes["key_heads"]
    query, key, value = (
        x.unflatten(1, (count, -1)).squeeze(3).transpose(2, 3)
        for x, count in zip(inputs, (heads, groups, groups), strict=False)
    )
    key, value = (x.repeat_interleave(heads // groups, 1) for x in (key, value))
    mask = inputs[3].bool() if len(inputs) > 3 else None
    if "bias" in weights:
        bias = weights["bias"].movedim(1, 0)
        mask = bias if mask is None else torch.where(mask, bias, HIDDEN)
    found = F.scaled_dot_product_attention(query, key, value, mask, scale=node.attributes["scale"])
    return found.transpose(2, 3).flatten(1, 2).unsqueeze(2)


def _padded(
    x: Tensor, sides: Sequence[int], value: float, most: Sequence[int] | None = None
) -> tuple[Tensor, list[int]]:
    """Return x, and the padding that the operation itself can do: the same on both sides, at most so much."""
    top, left, bottom, right = sides
    if (top, left) == (bottom, right) and (most is None or (top <= most[0] and left <= most[1])):
        return x, [top, left]
    return F.pad(x, (left, right, top, bottom), value=value), [0, 0]


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "clip": lambda x, min, max: x.clamp(min, max),
    "leaky_relu": lambda x, slope: F.leaky_relu(x, slope),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "mish": F.mish,
}
"""Kind -> torch's function of the value and the parameters."""


def _activation(node: Node, inputs: Sequence[Tensor], weights: Weights) -> Tensor:
    parameters: dict[str, Any] = {name: value for name, value in node.attributes.items() if name != "kind"}
    return ACTIVATIONS[node.attributes["kind"]](inputs[0], **parameters)


OPERATIONS: dict[str, Callable[[Node, Sequence[Tensor], Weights], Tensor]] = {
    "conv": _conv,
    "linear": lambda node, inputs, weights: F.linear(inputs[0], weights["weight"], weights.get("bias")),
    "activation": _activation,
    "affine": _affine,
    "add": lambda node, inputs, weights: inputs[0] + inputs[1],
    "mul": lambda node, inputs, weights: inputs[0] * inputs[1],
    "concat": lambda node, inputs, weights: torch.cat(list(inputs), 1),
    "slice": lambda node, inputs, weights: inputs[0][:, node.attributes["start"] : node.attributes["stop"]],
    "shuffle": lambda node, inputs, weights: F.channel_shuffle(inputs[0], node.attributes["groups"]),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": lambda node, inputs, weights: F.adaptive_avg_pool2d(inputs[0], node.attributes["output"]),
    "reshape": lambda node, inputs, weights: inputs[0].reshape(inputs[0].shape[0], *node.attributes["shape"]),
    "layer_norm": _layer_norm,
    "sequence": _sequence,
    "tokens": lambda node, inputs, weights: inputs[0][..., node.attributes["start"] : node.attributes["stop"]],
    "embed": _embed,
    "attention": _attention,
}
"""Operation -> (node, inputs [N, ...], dense weights by role) -> output [N, ...]."""
