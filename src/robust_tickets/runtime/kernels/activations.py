"""Activations of a vector, as LLVM IR; not a number stays not a number."""

import math
from collections.abc import Callable, Mapping

from robust_tickets.runtime.kernels.vector_code import VectorCode, number

_HALF_ERFC = (
    -0.027162363744916682,
    0.13005183776460336,
    -0.2164581180020707,
    0.10515505753828026,
    0.012824150195906174,
    0.08846179959072187,
    0.12559451201501173,
    0.14041087261736623,
    0.14112595603065423,
    -3.719408836810878e-06,
)
"""erfc(z) e^(z^2) / 2 in powers of 1 / (1 + z / 2), the highest first, for z from 0 to 9.6: relative error 3e-8."""

Attributes = Mapping[str, float]


def _relu(code: VectorCode, x: str, given: Attributes) -> str:
    return code.at_least(x, 0.0)


def _relu6(code: VectorCode, x: str, given: Attributes) -> str:
    return code.at_most(code.at_least(x, 0.0), 6.0)


def _clip(code: VectorCode, x: str, given: Attributes) -> str:
    return code.at_most(code.at_least(x, given["min"]), given["max"])


def _leaky_relu(code: VectorCode, x: str, given: Attributes) -> str:
    return code.where(code.negative_lanes(x), code.multiply(x, number(given["slope"])), x)


def _elu(code: VectorCode, x: str, given: Attributes) -> str:
    below = code.multiply(code.exponential_less_one(code.at_most(x, 0.0)), number(given["alpha"]))
    return code.where(code.negative_lanes(x), below, x)


def _silu(code: VectorCode, x: str, given: Attributes) -> str:
    return code.logistic(x, x)


def _gelu(code: VectorCode, x: str, given: Attributes) -> str:
    """x Phi(x); the normal distribution's tail keeps its precision, unlike 1 + erf."""
    z = code.multiply(code.absolute(x), number(math.sqrt(0.5)))
    place = code.divide(number(1.0), code.multiply_add(z, number(0.5), number(1.0)))
    density = code.exponential_decay(code.multiply(code.multiply(x, x), number(-0.5)))
    tail = code.multiply(density, code.polynomial(place, _HALF_ERFC))
    share = code.where(code.negative_lanes(x), tail, code.subtract(number(1.0), tail))
    return code.multiply(x, share)


def _gelu_tanh(code: VectorCode, x: str, given: Attributes) -> str:
    """x / (1 + e^-2u), which is x (1 + tanh u) / 2."""
    factor = 2 * math.sqrt(2 / math.pi)
    inner = code.multiply_add(code.multiply(x, x), number(0.044715 * factor), number(factor))
    return code.logistic(code.multiply(inner, x), x)


def _hardsigmoid(code: VectorCode, x: str, given: Attributes) -> str:
    return code.multiply(code.at_most(code.at_least(code.add(x, number(3.0)), 0.0), 6.0), number(1 / 6))


def _hardswish(code: VectorCode, x: str, given: Attributes) -> str:
    return code.multiply(x, _hardsigmoid(code, x, given))


def _sigmoid(code: VectorCode, x: str, given: Attributes) -> str:
    return code.logistic(x, number(1.0))


def _tanh(code: VectorCode, x: str, given: Attributes) -> str:
    """(e^2x - 1) / (e^2x + 1) of |x|, with the sign of x."""
    size = code.at_most(code.absolute(x), 20.0)
    power = code.exponential_less_one(code.add(size, size))
    return code.with_sign(code.divide(power, code.add(power, number(2.0))), x)


def _mish(code: VectorCode, x: str, given: Attributes) -> str:
    """x tanh(ln(1 + e^x)) = x w / (w + 2) with w = e^x (e^x + 2)."""
    power = code.exponential(code.at_most(x, 20.0))
    w = code.multiply(power, code.add(power, number(2.0)))
    return code.multiply(x, code.divide(w, code.add(w, number(2.0))))


EXPRESSIONS: dict[str, Callable[[VectorCode, str, Attributes], str]] = {
    "relu": _relu,
    "relu6": _relu6,
    "clip": _clip,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "hardswish": _hardswish,
    "hardsigmoid": _hardsigmoid,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "mish": _mish,
}
"""Kind -> what computes it: (lines so far, vector, parameters) -> result."""

LONG = frozenset({"elu", "silu", "gelu", "gelu_tanh", "sigmoid", "tanh", "mish"})
"""Kinds of some tens of instructions; the others have at most six."""
