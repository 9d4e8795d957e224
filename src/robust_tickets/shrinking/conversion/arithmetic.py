"""Torch's operators by name: sums and products, of a value with a constant or of two values."""

from typing import Any

import numpy as np
from torch import Tensor

from robust_tickets.shrinking.conversion.operators import Handler, array
from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import SEQUENCE, GraphValue

Operand = GraphValue | Tensor | float | int


def add(site: Site, x: Operand, other: Operand, alpha: float = 1, **rest: Any) -> GraphValue:
    """x + alpha other."""
    if not isinstance(x, GraphValue):
        assert isinstance(other, GraphValue)
        return add(site, other if alpha == 1 else scaled(site, other, float(alpha), 0.0), x)
    if not isinstance(other, GraphValue):
        if (shifts := per_token(other, x)) is not None:
            return GraphValue(site.builder.sequence(site.layer, x.name, None, alpha * shifts), x.shape, x.order)
        return scaled(site, x, 1.0, alpha * per_channel(other, x))
    if alpha != 1:
        other = scaled(site, other, float(alpha), 0.0)
    left, right, order = together(site, x, other)
    name = site.builder.add(site.layer, left, right)
    return GraphValue(name, site.builder.shapes[name], order)


def sub(site: Site, x: Operand, other: Operand, alpha: float = 1, **rest: Any) -> GraphValue:
    """x - alpha other."""
    return add(site, x, other, -alpha)


def rsub(site: Site, x: Operand, other: Operand, alpha: float = 1, **rest: Any) -> GraphValue:
    """other - alpha x."""
    return add(site, other, x, -alpha)


def mul(site: Site, x: Operand, other: Operand, **rest: Any) -> GraphValue:
    """x * other."""
    if not isinstance(x, GraphValue):
        x, other = other, x
    assert isinstance(x, GraphValue)
    if not isinstance(other, GraphValue):
        return scaled(site, x, per_channel(other, x), 0.0)
    left, right, order = together(site, x, other)
    name = site.builder.multiply(site.layer, left, right)
    return GraphValue(name, site.builder.shapes[name], order)


def div(site: Site, x: Operand, other: Operand, rounding_mode: str | None = None, **rest: Any) -> GraphValue:
    """x / other, where other is a constant."""
    if not isinstance(x, GraphValue) or isinstance(other, GraphValue) or rounding_mode is not None:
        raise Inexpressible("divides by a value that depends on the images")
    return scaled(site, x, 1.0 / per_channel(other, x), 0.0)


def neg(site: Site, x: GraphValue) -> GraphValue:
    """-x."""
    return scaled(site, x, -1.0, 0.0)


def scaled(site: Site, x: GraphValue, scale: float | np.ndarray, shift: float | np.ndarray) -> GraphValue:
    """Return x * scale + shift, each one number or one per channel."""
    return GraphValue(site.builder.affine(site.layer, x.name, scale, shift), x.shape, x.order)


def per_channel(constant: Tensor | float, x: GraphValue) -> np.ndarray:
    """Return a constant that broadcasts against x as one number, or one per channel, in float64.

    Raises:
        Inexpressible: it differs between pixels.
    """
    values = np.asarray(array(constant) if isinstance(constant, Tensor) else constant, np.float64)
    if values.size == 1:
        return values.reshape(())
    aligned = (
        values.reshape((1,) * (len(x.order) + 1 - values.ndim) + values.shape)
        if values.ndim <= len(x.order) + 1
        else values
    )
    varying = [place for place, length in enumerate(aligned.shape) if length != 1]
    if len(varying) != 1 or varying[0] == 0 or x.order[varying[0] - 1 : varying[0]] != (0,):
        raise Inexpressible(
            f"combines {list(x.seen)} with a constant of shape {list(values.shape)}: not one per channel"
        )
    return values.reshape(-1)


def per_token(constant: Tensor | float, x: GraphValue) -> np.ndarray | None:
    """Return a constant that differs between the tokens of a sequence, [channels, tokens]; None if it does not."""
    if x.order != SEQUENCE or not isinstance(constant, Tensor) or x.shape[2] == 1:
        return None
    shape = tuple(constant.shape)
    if constant.dim() < 2 or shape[-2] != x.shape[2] or any(one != 1 for one in shape[:-2]):
        return None
    values = array(constant).astype(np.float64).reshape(shape[-2:])
    return np.broadcast_to(values.T, (x.shape[0], x.shape[2]))


def together(site: Site, left: GraphValue, right: GraphValue) -> tuple[str, str, tuple[int, ...]]:
    """Return the names of two values that broadcast in the graph as in torch, and the order of what they make.

    Raises:
        Inexpressible: they are laid out differently, or their shapes broadcast otherwise than (C, 1, 1) to (C, H, W).
    """
    if len(left.order) == len(right.order) == 1 and len(left.shape) != len(right.shape):
        return site.flat(left), site.flat(right), (0,)
    a, b = left.shape, right.shape
    fits = a == b or (len(a) == len(b) == 3 and a[0] == b[0] and (left.is_pixelless or right.is_pixelless))
    if not fits or left.order != right.order:
        raise Inexpressible(
            f"combines {list(left.seen)} with {list(right.seen)}; the runtime combines equal shapes, or "
            "(channels, 1, 1) with (channels, height, width)"
        )
    return left.name, right.name, left.order


ARITHMETIC: dict[str, Handler] = {
    "add": add,
    "sub": sub,
    "rsub": rsub,
    "mul": mul,
    "multiply": mul,
    "div": div,
    "true_divide": div,
    "neg": neg,
}
