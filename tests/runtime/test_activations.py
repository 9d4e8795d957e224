import ctypes
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robust_tickets.runtime.kernels.activations import EXPRESSIONS
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.function import Function
from robust_tickets.runtime.kernels.vector_code import VectorCode
from robust_tickets.runtime.machine.compiler import assembly, compile
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.reference import ACTIVATIONS

PARAMETERS = {"clip": {"min": -1.0, "max": 2.5}, "leaky_relu": {"slope": 0.1}, "elu": {"alpha": 1.5}}
KINDS = sorted(EXPRESSIONS)
TARGETS = runnable_names()
EXACT = {"relu", "relu6", "clip"}


def ir(activation: Activation) -> str:
    """A function that applies an activation to one vector."""
    f = Function("apply", {"source": "ptr", "target": "ptr"})
    f.store(f.activated(activation, f.load(f["source"])), f["target"])
    return f.text(activation)


def apply(kind: str, values: NDArray[np.float32], target: str) -> NDArray[np.float32]:
    module = compile(ir(Activation(kind, tuple(PARAMETERS.get(kind, {}).items()))), Target.named(target))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(module.address("apply"))
    result = np.empty_like(values)
    for place in range(0, len(values), 16):
        function(values.ctypes.data + 4 * place, result.ctypes.data + 4 * place)
    return result


def expected(kind: str, values: NDArray[np.float32]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        return ACTIVATIONS[kind](values.astype(np.float64), PARAMETERS.get(kind, {}))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_activation_is_precise(kind: str, target: str) -> None:
    draw = np.random.default_rng(0)
    values = np.concatenate(
        [draw.standard_normal(4096) * scale for scale in (1e-4, 0.1, 1, 8)] + [np.linspace(-30, 30, 4096)]
    ).astype(np.float32)
    found, right = apply(kind, values, target), expected(kind, values)
    # Where the result is a small part of the value, the precision of the value is what counts.
    unit = np.spacing(np.maximum(np.abs(right), 0.1 * np.minimum(np.abs(values), 1)).astype(np.float32))
    assert np.max(np.abs(found - right) / unit) <= (0.5 if kind in EXACT else 6)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_extremes_are_what_they_are_in_the_limit(kind: str, target: str) -> None:
    values = np.array([0, -0.0, 1e-40, 60, -60, 90, -90, 1e4, -1e4, 1e30, -1e30, math.inf, 1, 2, 3, 4], np.float32)
    found, right = apply(kind, values, target), expected(kind, values).astype(np.float32)
    np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_not_a_number_stays_so_and_stays_alone(kind: str, target: str) -> None:
    values = np.ones(16, np.float32)
    values[[3, 9]] = math.nan
    assert np.flatnonzero(np.isnan(apply(kind, values, target))).tolist() == [3, 9]


@pytest.mark.parametrize("kind", KINDS)
def test_no_activation_calls_a_library(kind: str) -> None:
    activation = Activation(kind, tuple(PARAMETERS.get(kind, {}).items()))
    for target in (Target("x86_64-unknown-linux-gnu", "x86-64"), Target("aarch64-unknown-linux-gnu", "generic")):
        text = assembly(ir(activation), target)
        called = {line.split()[1] for line in text.splitlines() if line.split()[:1] in (["callq"], ["bl"])}
        assert called <= {"activation"}


def test_no_activation_is_the_value_itself() -> None:
    code = VectorCode("v")
    assert Activation().of(code, "%x") == "%x"
    assert code.lines == []


def test_every_kind_of_the_format_is_there() -> None:
    assert set(EXPRESSIONS) == set(ACTIVATIONS)
