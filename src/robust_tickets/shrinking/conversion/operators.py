"""Torch's operators by name: convolutions, matrices, norms, activations and pooling.

A handler is called with its site and torch's arguments by torch's own names (`self` is `x`), values of the graph as
`GraphValue`, everything else as it is. It returns a `GraphValue`, or a tuple of them, or raises `Inexpressible`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import GraphValue

Handler = Callable[..., Any]

NOTHING = float("-inf")
"""What max pooling pads with: less than any number."""


def conv2d(
    site: Site,
    input: GraphValue,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> GraphValue:
    """Convolution; `same` padding is asymmetric where it is odd."""
    constant(weight, bias)
    dilation = pair(dilation)
    if isinstance(padding, str):
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, weight.shape[2:], strict=True)]
        sides = [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]
    else:
        sides = [*pair(padding), *pair(padding)]
    x, sides = site.builder.unpadded(site.image(input), sides, 0.0)
    weights = {"weight": array(weight)} | ({"bias": array(bias)} if bias is not None else {})
    return site.give("conv", [x], weights, stride=pair(stride), padding=sides, dilation=dilation, groups=groups)


def linear(site: Site, input: GraphValue, weight: Tensor, bias: Tensor | None) -> GraphValue:
    """A matrix on features, or on the channels of every pixel or token, which come last: a 1 x 1 convolution."""
    constant(weight, bias)
    weights = {"weight": array(weight)} | ({"bias": array(bias)} if bias is not None else {})
    if len(input.order) == 1:
        return site.give("linear", [site.flat(input)], weights)
    if len(input.order) not in (2, 3) or input.order[-1] != 0:
        raise Inexpressible(f"multiplies the last dimension of {list(input.seen)}, which is not the channel dimension")
    weights["weight"] = weights["weight"][:, :, None, None]
    shape = (len(weight), *input.shape[1:])
    plain = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
    return GraphValue(site.builder.emit("conv", site.layer, [input.name], shape, weights, plain), shape, input.order)


def batch_norm(
    site: Site,
    input: GraphValue,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    eps: float,
    **rest: Any,
) -> tuple[GraphValue, None, None] | GraphValue:
    """Batch norm on its running statistics: scale and shift."""
    if running_mean is None or running_var is None:
        raise Inexpressible("has no running statistics; the runtime normalises by those, not by the current images")
    constant(weight, bias, running_mean, running_var)
    scale = (running_var.double() + eps).rsqrt() * (weight.double() if weight is not None else 1.0)
    shift = (bias.double() if bias is not None else 0.0) - running_mean.double() * scale
    if not input.order or input.order[0] != 0:
        raise Inexpressible(f"normalises the first dimension of {list(input.seen)}, which is not the channel dimension")
    name = site.builder.affine(site.layer, input.name, array(scale), array(shift))
    found = GraphValue(name, input.shape, input.order)
    return found if site.shape is not None else (found, None, None)


def layer_norm(
    site: Site,
    input: GraphValue,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    **rest: Any,
) -> GraphValue:
    """Layer norm over the channels of every pixel of a channels-last image, or over one number per channel."""
    constant(weight, bias)
    if len(normalized_shape) != 1 or input.order[-1:] != (0,):
        raise Inexpressible(
            f"normalises {list(normalized_shape)} of {list(input.seen)}: not the channels of each pixel"
        )
    weights = {
        "scale": array(weight) if weight is not None else np.ones(normalized_shape, np.float32),
        "shift": array(bias) if bias is not None else np.zeros(normalized_shape, np.float32),
    }
    name = site.builder.emit("layer_norm", site.layer, [input.name], input.shape, weights, {"epsilon": float(eps)})
    return GraphValue(name, input.shape, input.order)


def activation(kind: str, **named: str) -> Handler:
    """Return the handler of an activation; `named` are its parameters: the runtime's name -> torch's."""

    def handle(site: Site, **arguments: Any) -> GraphValue:
        x: GraphValue = arguments["x"] if "x" in arguments else arguments["input"]
        parameters = {ours: float(arguments[theirs]) for ours, theirs in named.items()}
        return GraphValue(site.builder.activation(site.layer, x.name, kind, **parameters), x.shape, x.order)

    return handle


def clamp(site: Site, x: GraphValue, min: float | None = None, max: float | None = None, **rest: Any) -> GraphValue:
    """Clamping between numbers: relu and relu6 by their names."""
    low = float(np.finfo(np.float32).min) if min is None else min
    high = float(np.finfo(np.float32).max) if max is None else max
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise Inexpressible("clamps between tensors, not numbers")
    if low == 0 and max is None:
        return activation("relu")(site, x=x)
    if (low, high) == (0, 6):
        return activation("relu6")(site, x=x)
    return activation("clip", min="low", max="high")(site, x=x, low=low, high=high)


def hardtanh(site: Site, x: GraphValue, min_val: float, max_val: float) -> GraphValue:
    """Clamping by another name; relu6 arrives here."""
    return clamp(site, x, min_val, max_val)


def elu(site: Site, x: GraphValue, alpha: float, scale: float, input_scale: float) -> GraphValue:
    """ELU; SELU is a scaled one."""
    if input_scale != 1:
        raise Inexpressible("scales the input of an elu")
    found = activation("elu", alpha="alpha")(site, x=x, alpha=alpha)
    return GraphValue(site.builder.affine(site.layer, found.name, scale, 0.0), x.shape, x.order)


def selu(site: Site, x: GraphValue) -> GraphValue:
    """SELU with the constants of Klambauer et al. (2017), as torch has them."""
    return elu(site, x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0)


def gelu(site: Site, x: GraphValue, approximate: str) -> GraphValue:
    """GELU, exact or by tanh."""
    return activation("gelu_tanh" if approximate == "tanh" else "gelu")(site, x=x)


def prelu(site: Site, x: GraphValue, weight: Tensor) -> GraphValue:
    """PReLU of one slope."""
    constant(weight)
    if weight.numel() != 1:
        raise Inexpressible("has one slope per channel; the runtime has one slope for all channels")
    return activation("leaky_relu", slope="slope")(site, x=x, slope=float(weight))


def max_pool2d(
    site: Site,
    x: GraphValue,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> GraphValue:
    """Max pooling; rounding up is more padding at the end."""
    kernel, dilation, sides = pair(kernel_size), pair(dilation), [*pair(padding), *pair(padding)]
    stride = pair(stride) if stride else kernel
    if ceil_mode:
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        sides = enlarged(site, x, reach, stride, sides)
    name, sides = site.builder.unpadded(site.image(x), sides, NOTHING)
    return site.give("max_pool", [name], kernel=kernel, stride=stride, padding=sides, dilation=dilation)


def avg_pool2d(
    site: Site,
    x: GraphValue,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> GraphValue:
    """Average pooling; what rounding up adds at the end never counts."""
    kernel, sides = pair(kernel_size), [*pair(padding), *pair(padding)]
    stride = pair(stride) if stride else kernel
    if divisor_override not in (None, kernel[0] * kernel[1]):
        raise Inexpressible(f"divides by {divisor_override} instead of the pixels of its window")
    name, counted = site.image(x), count_include_pad and any(sides)
    if ceil_mode:
        sides = enlarged(site, x, kernel, stride, sides)
    elif counted or not any(sides):
        # The runtime counts padding at the end only as far as there is as much at the beginning.
        before, together = site.builder.unpadded(name, sides, 0.0)
        if together[2] <= together[0] and together[3] <= together[1]:
            name, sides, counted = before, together, any(together)
    return site.give("avg_pool", [name], kernel=kernel, stride=stride, padding=sides, count_include_pad=bool(counted))


def adaptive_avg_pool2d(site: Site, x: GraphValue, output_size: Sequence[int]) -> GraphValue:
    """Adaptive average pooling."""
    channels, *size = site.wanted()
    return x if tuple(x.seen) == (channels, *size) else site.give("adaptive_avg_pool", [site.image(x)], output=size)


def adaptive_max_pool2d(site: Site, x: GraphValue, output_size: Sequence[int]) -> tuple[GraphValue, None]:
    """Adaptive max pooling to one pixel."""
    name, kernel = site.image(x), list(x.shape[1:])
    if tuple(output_size) != (1, 1):
        raise Inexpressible(f"pools the largest of uneven windows to {list(output_size)} pixels")
    shape, plain = (x.shape[0], 1, 1), {"padding": [0, 0, 0, 0], "dilation": [1, 1]}
    attributes = {"kernel": kernel, "stride": kernel, **plain}
    return GraphValue.plain(site.builder.emit("max_pool", site.layer, [name], shape, None, attributes), shape), None


def mean(site: Site, x: GraphValue, dim: Sequence[int] | None, keepdim: bool, **rest: Any) -> GraphValue:
    """The mean over all pixels or tokens."""
    dims = {one % (len(x.order) + 1) - 1 for one in dim or ()}
    axes = {x.order[one] for one in dims if one >= 0}
    absent = {axis for axis in (1, 2) if axis not in x.order}
    if axes | absent != {1, 2} or len(dims) != len(axes):
        raise Inexpressible(
            f"averages {list(x.seen)} over dimensions {list(dim or ())}; the runtime can only average over all pixels "
            "or tokens"
        )
    shape = (x.shape[0], 1, 1)
    name = x.name
    if x.shape != shape:
        name = site.builder.emit("adaptive_avg_pool", site.layer, [name], shape, None, {"output": [1, 1]})
    return GraphValue(name, shape, x.order if keepdim else tuple(axis for axis in x.order if axis not in axes))


def enlarged(site: Site, x: GraphValue, reach: Sequence[int], stride: Sequence[int], sides: Sequence[int]) -> list[int]:
    """Return the padding with as much more at the bottom and the right as torch's rounding up makes."""
    top, left, bottom, right = sides
    more = [
        max(0, (outputs - 1) * step + window - length - before - after)
        for outputs, step, window, length, before, after in zip(
            site.wanted()[1:], stride, reach, x.shape[1:], (top, left), (bottom, right), strict=True
        )
    ]
    return [top, left, bottom + more[0], right + more[1]]


def pair(value: Sequence[int] | int) -> list[int]:
    """Return one number for height and one for width."""
    values = [value] if isinstance(value, int) else [int(one) for one in value]
    return values * 2 if len(values) == 1 else values


def array(tensor: Tensor) -> np.ndarray:
    """Return a constant as numpy."""
    return tensor.detach().cpu().numpy()


def constant(*tensors: object) -> None:
    """Refuse weights that the network computes from its images.

    Raises:
        Inexpressible: one is.
    """
    if any(isinstance(tensor, GraphValue) for tensor in tensors):
        raise Inexpressible("has weights that depend on the images")


OPERATORS: dict[str, Handler] = {
    "conv2d": conv2d,
    "linear": linear,
    "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "layer_norm": layer_norm,
    "relu": activation("relu"),
    "relu6": activation("relu6"),
    "sigmoid": activation("sigmoid"),
    "tanh": activation("tanh"),
    "silu": activation("silu"),
    "hardswish": activation("hardswish"),
    "hardsigmoid": activation("hardsigmoid"),
    "mish": activation("mish"),
    "leaky_relu": activation("leaky_relu", slope="negative_slope"),
    "softplus": activation("softplus"),
    "erf": activation("erf"),
    "gelu": gelu,
    "elu": elu,
    "selu": selu,
    "prelu": prelu,
    "hardtanh": hardtanh,
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": clamp,
    "clip": clamp,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_max_pool2d": adaptive_max_pool2d,
    "mean": mean,
}
