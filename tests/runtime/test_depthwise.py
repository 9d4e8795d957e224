"""Depthwise convolutions make in registers the halo that they need: at every edge, on every processor."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.kernels.depthwise import MOST_WRITTEN_OUT, DepthwiseKernel
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.plan import make_plan
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid

CASES = [
    # channels, (height, width), (kernel rows, columns), stride, dilation, padding (top, left, bottom, right)
    (8, (28, 28), (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    (16, (14, 14), (5, 5), (1, 1), (1, 1), (2, 2, 2, 2)),
    (24, (7, 7), (5, 5), (1, 1), (1, 1), (2, 2, 2, 2)),  # blocks of 2 x 2: each pixel of the halo is of another block
    (5, (5, 5), (7, 7), (1, 1), (1, 1), (3, 3, 3, 3)),  # that reach further than the next block
    (8, (13, 9), (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),  # lanes outside of the map
    (4, (28, 28), (7, 7), (1, 1), (1, 1), (3, 3, 3, 3)),
    (8, (28, 28), (5, 5), (2, 2), (1, 1), (1, 1, 2, 2)),  # as TensorFlow pads
    (8, (15, 29), (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
    (8, (20, 20), (3, 3), (1, 1), (2, 2), (2, 2, 2, 2)),
    (8, (21, 17), (1, 5), (1, 2), (1, 1), (0, 2, 0, 2)),
    (3, (9, 32), (3, 2), (1, 1), (1, 1), (0, 0, 3, 0)),  # nothing above and to the left
]


def depthwise(
    channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, ...],
    density: float = 1.0,
) -> Graph:
    """Return a pointwise convolution, whose channels end at zero, and a depthwise one."""
    random = np.random.default_rng(0)

    def weight(*shape: int) -> Weight:
        values = random.standard_normal(shape) * (random.random(shape) < density)
        return Weight(shape, values.astype(np.float32).ravel())

    weights = {"wide": weight(channels, 3, 1, 1), "each": weight(channels, 1, *kernel)}
    weights["bias"] = Weight((channels,), random.standard_normal(channels).astype(np.float32))
    pixel = {"stride": [1, 1], "dilation": [1, 1], "padding": [0, 0, 0, 0], "groups": 1}
    window = {"stride": [*stride], "dilation": [*dilation], "padding": [*padding], "groups": channels}
    nodes = (
        Node("conv", "wide", ("x",), "a", pixel, {"weight": "wide", "bias": "bias"}),
        Node("activation", "relu", ("a",), "b", {"kind": "relu"}, {}),
        Node("conv", "each", ("b",), "y", window, {"weight": "each", "bias": "bias"}),
    )
    return Graph("x", (3, *size), nodes, "y", weights)


@pytest.mark.parametrize("name", runnable_names())
@pytest.mark.parametrize("case", CASES)
def test_it_equals_the_reference_and_writes_no_halo(case, name):
    graph = depthwise(*case)
    engine = Engine(graph, target=Target.named(name))
    images = np.random.default_rng(1).standard_normal((2, *graph.input_shape)).astype(np.float32)
    expected = interpret(graph, images)
    np.testing.assert_allclose(engine(images), expected, atol=1e-5 * expected.std() + 1e-6, rtol=1e-5)
    # Of narrow registers, the largest kernel is too much code.
    is_much = case[2] == (7, 7) and case[1] == (28, 28) and engine.target.vector_bits < 256
    assert any(isinstance(one, c.Depthwise) for one in engine.plan.commands) != is_much
    assert any(isinstance(one, c.Border) for one in engine.plan.commands) == is_much


@pytest.mark.parametrize("threads", [1, 2])
def test_what_lies_outside_of_the_map_is_never_read(threads):
    """Lanes and rooms hold whatever was there: not a number of it reaches a pixel."""
    graph = depthwise(40, (13, 9), (5, 5), (1, 1), (1, 1), (2, 2, 2, 2))
    engine = Engine(graph, threads)
    images = np.random.default_rng(1).standard_normal((1, *graph.input_shape)).astype(np.float32)
    engine.arena.bytes.view(np.float32)[:] = np.nan
    np.testing.assert_allclose(engine(images), interpret(graph, images), atol=1e-4)
    engine.close()


def test_one_with_few_weights_left_skips_the_zeros():
    few, most = (depthwise(64, (56, 56), (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), density) for density in (0.1, 0.9))
    assert not any(isinstance(one, c.Depthwise) for one in Engine(few).plan.commands)
    assert any(isinstance(one, c.Depthwise) for one in Engine(most).plan.commands)


def test_many_layers_of_a_file_are_soon_compiled():
    """Each of another padding, so that each would have code of its own."""
    random = np.random.default_rng(0)
    # Narrower registers take more code for a window: the largest that is written out has fewer rows.
    pads = 16 if Target.host().vector_bits == 512 else 10
    side = pads + 1
    weight = Weight((1, 1, side, side), random.standard_normal(side * side).astype(np.float32))
    nodes = []
    for number in range(40):
        window = {"stride": [1, 1], "dilation": [1, 1], "groups": 1}
        padding = [number % pads, pads - number // pads, pads - number % pads, number // pads]
        source = f"v{number}" if number else "x"
        nodes.append(
            Node("conv", f"c{number}", (source,), f"v{number + 1}", window | {"padding": padding}, {"weight": "w"})
        )
    engine = Engine(Graph("x", (1, 16, 16), tuple(nodes), "v40", {"w": weight}))
    written = [one.kernel for one in engine.plan.commands if isinstance(one, c.Depthwise)]
    assert 0 < sum(one.written_out(engine.target.vector_bits) for one in set(written)) <= 8 * MOST_WRITTEN_OUT
    assert any(isinstance(one, c.Convolve) for one in engine.plan.commands)


def test_planning_does_not_count_the_rows_of_a_tall_map():
    weight = Weight((1, 1, 1, 1), np.ones(1, np.float32))
    window = {"stride": [1, 1], "dilation": [1, 1], "groups": 1, "padding": [0, 0, 0, 0]}
    nodes = tuple(Node("conv", f"c{n}", (f"v{n}",), f"v{n + 1}", window, {"weight": "w"}) for n in range(20))
    graph = Graph("v0", (1, 2**22, 2), nodes, "v20", {"w": weight})
    start = perf_counter()
    make_plan(graph, require_valid(graph))
    assert perf_counter() - start < 1


def test_code_has_as_many_multiplications_as_it_says():
    """What is written out stays in bounds by this number, which is worked out without writing anything."""
    for size, block, tap in [
        ((28, 28), (7, 7), 5),
        ((14, 14), (2, 7), 3),
        ((56, 56), (14, 14), 3),
        ((13, 9), (4, 3), 3),
    ]:
        around = (tap // 2, tap // 2)
        kernel = DepthwiseKernel(size, (4, 4), block, (tap, tap), (1, 1), (1, 1), around, Activation())
        if not kernel.covers:
            kernel = replace(kernel, grid=(8, 2))
        code = kernel.ir(32)
        outside = sum(one.count("fmuladd") for one in code.splitlines() if "declare" not in one)
        assert 0.6 * kernel.written_out(512) <= outside <= kernel.written_out(512)
