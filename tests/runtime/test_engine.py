"""The engine is held to the reference interpreter: on random networks, on every processor, however it is cut up."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.plan import make_plan
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.runtime.steps.convolve import Tiling
from robust_tickets.runtime.steps.winograd import possible_side
from robust_tickets.runtime.tuning.tiling import likely
from tests.runtime.graphs import every_operation, images
from tests.runtime.random_graphs import random_graph

WINDOW = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}


def random_weight(*shape: int, density: float = 1.0, seed: int = 0) -> Weight:
    random = np.random.default_rng([seed, *shape])
    values = random.standard_normal(shape).astype(np.float32) / np.sqrt(density * np.prod(shape[1:]))
    return Weight(shape, (values * (random.random(shape) < density)).astype(np.float32).reshape(-1))


def convolution(shape: tuple[int, int, int], outputs: int, kernel: int, density: float, **window: object) -> Graph:
    """A network of one convolution."""
    attributes = WINDOW | window
    group = shape[0] // int(attributes["groups"])  # type: ignore[call-overload]
    weights = {"w": random_weight(outputs, group, kernel, kernel, density=density), "b": random_weight(outputs)}
    weights["b"] = Weight((outputs,), weights["b"].values)
    node = Node("conv", "conv", ("x",), "y", attributes, {"weight": "w", "bias": "b"})
    return Graph("x", shape, (node,), "y", weights)


def difference(graph: Graph, engine: Engine, batch: int = 2) -> float:
    """The largest error over the spread of the output, against the interpreter in double precision."""
    x = np.random.default_rng(1).random((batch, *graph.input_shape)).astype(np.float32)
    expected = interpret(graph, x.astype(np.float64))
    spread = max(float(expected.std()), 1e-6 * float(np.abs(expected).max()), 1e-9)
    return float(np.abs(engine(x) - expected).max()) / spread


@pytest.mark.parametrize("name", runnable_names())
@pytest.mark.parametrize("seed", range(12))
def test_random_networks_on_every_processor(seed, name):
    graph = random_graph(seed)
    assert difference(graph, Engine(graph, target=Target.named(name))) < 1e-4


@pytest.mark.parametrize("seed", range(100, 140))
def test_random_networks(seed):
    graph = random_graph(seed)
    assert difference(graph, Engine(graph)) < 1e-4


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_operation_on_several_threads(threads):
    graph = every_operation()
    engine = Engine(graph, threads)
    x = images(3)
    np.testing.assert_allclose(engine(x), interpret(graph, x), atol=1e-4)
    engine.close()


SHAPES = [
    ((8, 28, 28), 12, 3, 0.1, {}),
    ((16, 14, 14), 24, 3, 0.1, {"stride": [2, 2]}),
    ((24, 7, 7), 20, 1, 0.2, {"padding": [0, 0, 0, 0]}),
    ((12, 9, 13), 12, 5, 1.0, {"groups": 4, "padding": [2, 2, 2, 2]}),
    ((6, 20, 20), 12, 3, 1.0, {"groups": 6, "dilation": [2, 2], "padding": [2, 2, 2, 2]}),
]


@pytest.mark.parametrize(("shape", "outputs", "kernel", "density", "window"), SHAPES)
def test_the_result_does_not_depend_on_how_a_convolution_is_cut_up(shape, outputs, kernel, density, window):
    graph = convolution(shape, outputs, kernel, density, **window)
    command = next(one for one in make_plan(graph, require_valid(graph)).commands if isinstance(one, c.Convolve))
    tilings = likely(command, Target.host(), 1000)
    # The best of each number of rows, in slices of few channels, and one that divides nothing.
    chosen = [next(one for one in tilings if one.rows == rows) for rows in (1, 2, 4)]
    chosen += [replace(one, channels=3) for one in chosen] + [Tiling(1, 3, 5, 7)]
    for tiling in chosen:
        if window.get("groups", 1) > 1:
            tiling = replace(tiling, channels=shape[0])
        engine = Engine(graph, tilings=lambda plan, target, arena, one=tiling: {"conv": one})
        assert difference(graph, engine) < 1e-5, tiling


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_winograd_equals_the_direct_way(kernel, stride):
    side = kernel // 2
    graph = convolution((3, 64, 64), 10, kernel, 1.0, stride=[stride, stride], padding=[side] * 4)
    command = next(one for one in make_plan(graph, require_valid(graph)).commands if isinstance(one, c.Convolve))
    assert possible_side(command) == (2 if (kernel, stride) == (7, 1) else 4)
    direct = likely(command, Target.host(), 1)[0]
    for tiling in (direct, replace(direct, winograd=possible_side(command))):
        engine = Engine(graph, tilings=lambda plan, target, arena, one=tiling: {"conv": one})
        assert difference(graph, engine) < 1e-4
        kinds = {step.kind for step in engine.steps}
        assert ("winograd" in kinds) == bool(tiling.winograd)


def test_winograd_that_does_not_fit_is_not_taken():
    """Tilings come from a file that anyone may have edited."""
    graph = convolution((8, 30, 30), 8, 3, 0.1)
    engine = Engine(graph, tilings=lambda plan, target, arena: {"conv": Tiling(1, 1, 4, 8, winograd=4)})
    assert difference(graph, engine) < 1e-5


@pytest.mark.parametrize("kernel", [(5, 3), (3, 5), (7, 3), (3, 2)])
def test_winograd_reads_nothing_behind_a_map(kernel):
    """As it would if one side of the kernel had far fewer taps than the other."""
    padding = [kernel[0] // 2, kernel[1] // 2, (kernel[0] - 1) // 2, (kernel[1] - 1) // 2]
    node = Node("conv", "conv", ("x",), "y", WINDOW | {"padding": padding}, {"weight": "w"})
    graph = Graph("x", (3, 32, 32), (node,), "y", {"w": random_weight(4, 3, *kernel)})
    command = next(one for one in make_plan(graph, require_valid(graph)).commands if isinstance(one, c.Convolve))
    tiling = Tiling(1, 2, 4, 3, winograd=possible_side(command))
    engine = Engine(graph, tilings=lambda *_: {"conv": tiling})
    engine.arena.bytes.view(np.float32)[:] = np.nan
    assert difference(graph, engine) < 1e-4


def test_residual_and_activation_are_drawn_into_the_convolution():
    nodes = (
        Node("conv", "first", ("x",), "a", WINDOW, {"weight": "w"}),
        Node("conv", "second", ("a",), "b", WINDOW, {"weight": "w"}),
        Node("add", "sum", ("a", "b"), "c"),
        Node("activation", "relu", ("c",), "y", {"kind": "relu"}),
    )
    graph = Graph("x", (8, 12, 12), nodes, "y", {"w": random_weight(8, 8, 3, 3, density=0.3)})
    engine = Engine(graph)
    assert difference(graph, engine) < 1e-5
    assert [command.name for command in engine.plan.commands if isinstance(command, c.Convolve)] == ["first", "second"]
    assert not any(isinstance(command, c.Pointwise) for command in engine.plan.commands)


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_residual_is_written_over_slice_by_slice(rows, channels):
    """Partial sums lie where the residual lay: it must have been added before."""
    nodes = (
        Node("conv", "first", ("x",), "a", WINDOW, {"weight": "w"}),
        Node("conv", "second", ("a",), "b", WINDOW, {"weight": "w"}),
        Node("conv", "third", ("b",), "c", WINDOW, {"weight": "w"}),
        Node("add", "sum", ("a", "c"), "d"),
        Node("activation", "relu", ("d",), "e", {"kind": "relu"}),
        Node("conv", "fourth", ("e",), "y", WINDOW, {"weight": "w"}),
    )
    graph = Graph("x", (8, 12, 12), nodes, "y", {"w": random_weight(8, 8, 3, 3, density=0.5)})
    tiling = Tiling(rows, 1, 3, channels)
    engine = Engine(graph, tilings=lambda *_: dict.fromkeys(("first", "second", "third", "fourth"), tiling))
    assert difference(graph, engine) < 1e-5
    third = next(one for one in engine.plan.commands if isinstance(one, c.Convolve) and one.name == "third")
    assert third.residual is not None
    assert third.residual.buffer is third.target.buffer


@pytest.mark.parametrize("kind", ["relu", "silu", "gelu", "mish"])
def test_winograd_ends_with_an_activation(kind):
    plain = convolution((3, 32, 32), 8, 3, 1.0, stride=[2, 2])
    nodes = (*plain.nodes, Node("activation", "end", ("y",), "z", {"kind": kind}))
    graph = Graph("x", plain.input_shape, nodes, "z", plain.weights)
    engine = Engine(graph, tilings=lambda *_: {"conv": Tiling(1, 1, 4, 3, winograd=4)})
    assert {"winograd"} <= {step.kind for step in engine.steps}
    assert difference(graph, engine) < 1e-4


@pytest.mark.parametrize("behind", [(), ("relu",)])
def test_a_strided_pointwise_convolution_moves_only_what_it_reads(behind):
    shape = (6, 28, 26)
    nodes = [
        Node("activation", "relu", ("x",), "a", {"kind": "relu"}),
        Node("conv", "map", ("a",), "b", WINDOW, {"weight": "w"}),
    ]
    window = WINDOW | {"padding": [0, 0, 0, 0], "stride": [2, 2]}
    nodes.append(Node("conv", "conv", ("b" if behind else "x",), "y", window, {"weight": "v"}))
    weights = {"w": random_weight(6, 6, 3, 3), "v": random_weight(5, 6, 1, 1)}
    if not behind:
        nodes, weights = nodes[2:], {"v": weights["v"]}
    graph = Graph("x", shape, tuple(nodes), "y", weights)
    engine = Engine(graph)
    assert difference(graph, engine) < 1e-5
    gathers = [one for one in engine.plan.commands if isinstance(one, c.Gather) and one.name == "conv"]
    assert [one.every for one in gathers] == [(2, 2)]
    assert gathers[0].target.layout.height == 14


def test_what_is_concatenated_is_not_copied():
    """As in DenseNet: each layer reads all earlier ones, and all lie in one buffer from the beginning."""
    narrow = WINDOW | {"padding": [0, 0, 0, 0]}
    nodes = [Node("conv", "stem", ("x",), "f0", WINDOW, {"weight": "w0"})]
    weights = {"w0": random_weight(4, 3, 3, 3)}
    for layer in (1, 2, 3):
        before = tuple(f"f{one}" for one in range(layer))
        weights[f"w{layer}"] = random_weight(4, 4 * layer, 1, 1, density=0.5)
        nodes += [
            Node("concat", f"cat{layer}", before, f"c{layer}"),
            Node("conv", f"conv{layer}", (f"c{layer}",), f"f{layer}", narrow, {"weight": f"w{layer}"}),
        ]
    nodes.append(Node("concat", "all", ("f0", "f1", "f2", "f3"), "y"))
    graph = Graph("x", (3, 16, 16), tuple(nodes), "y", weights)
    engine = Engine(graph)
    assert difference(graph, engine) < 1e-5
    assert not any(isinstance(command, c.CopyChannels) for command in engine.plan.commands)


def test_the_normalisation_of_images_costs_no_pass():
    nodes = (
        Node("affine", "normalise", ("x",), "n", {}, {"scale": "s", "shift": "t"}),
        Node("conv", "stem", ("n",), "y", WINDOW, {"weight": "w"}),
    )
    weights = {
        "s": Weight((3,), np.array([2, 3, 4], np.float32)),
        "t": Weight((3,), np.array([-1, 0.5, 2], np.float32)),
        "w": random_weight(4, 3, 3, 3),
    }
    graph = Graph("x", (3, 10, 10), nodes, "y", weights)
    engine = Engine(graph)
    assert difference(graph, engine) < 1e-5, "zeros around the image are not normalised"
    assert not any(isinstance(command, c.Pointwise) for command in engine.plan.commands)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_spoils_its_own_image_only(spoilt):
    """Even where every weight that would meet it is zero."""
    graph = convolution((3, 8, 8), 4, 3, 0.05)
    x = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
    clean = Engine(graph)(x)
    x[1, 2, 3, 3] = spoilt
    engine = Engine(graph)
    logits = engine(x)
    assert np.isnan(logits[1]).all()
    np.testing.assert_array_equal(logits[[0, 2]], clean[[0, 2]])
    np.testing.assert_array_equal(engine(x[[0]]), clean[[0]])


@pytest.mark.filterwarnings("error")
def test_numbers_whose_sum_is_no_number_are_numbers():
    """The largest float32 of either sign; a sum of them is infinite, or nothing at all."""
    graph = Graph("x", (3, 8, 8), (Node("activation", "relu", ("x",), "y", {"kind": "relu"}),), "y", {})
    x = np.full((2, 3, 8, 8), np.finfo(np.float32).max, np.float32)
    x[0, :, ::2] *= -1
    np.testing.assert_array_equal(Engine(graph)(x), np.maximum(x, 0))


def test_threads_of_python_may_share_an_engine():
    graph = every_operation()
    engine, x = Engine(graph, 2), images(8)
    expected, results = engine(x), {}

    def compute(number: int) -> None:
        results[number] = [engine(x[number : number + 1])[0] for _ in range(20)]

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        for logits in results[number]:
            np.testing.assert_array_equal(logits, expected[number])


def test_an_image_is_read_where_the_caller_has_it_and_left_alone():
    graph = convolution((3, 9, 9), 4, 3, 1.0)
    engine = Engine(graph)
    x = np.random.default_rng(0).random((4, 3, 9, 9)).astype(np.float32)
    kept, expected = x.copy(), engine(x)
    np.testing.assert_array_equal(engine(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(engine(x[::-1])[::-1], expected)
    np.testing.assert_array_equal(engine(x[1:3]), expected[1:3])
    np.testing.assert_array_equal(x, kept)


def test_an_image_that_is_not_moved_first_is_copied():
    """Here an activation reads it, and a convolution reads the same memory under another shape."""
    nodes = (
        Node("reshape", "flat", ("x",), "f", {"shape": [108]}),
        Node("activation", "relu", ("f",), "r", {"kind": "relu"}),
        Node("linear", "fc", ("r",), "l", {}, {"weight": "v"}),
        Node("conv", "conv", ("x",), "c", WINDOW, {"weight": "w"}),
        Node("reshape", "flat2", ("c",), "g", {"shape": [36]}),
        Node("add", "sum", ("l", "g"), "y"),
    )
    graph = Graph("x", (3, 6, 6), nodes, "y", {"v": random_weight(36, 108), "w": random_weight(1, 3, 3, 3)})
    assert difference(graph, Engine(graph), batch=3) < 1e-5


def test_an_image_is_computed_the_same_in_any_batch():
    graph = every_operation()
    engine, x = Engine(graph), images(5)
    together = engine(x)
    for index in range(5):
        np.testing.assert_array_equal(engine(x[index : index + 1])[0], together[index])
    assert engine(x[:0]).shape == (0, *together.shape[1:])


def test_a_map_beyond_the_reach_of_kernels_is_refused():
    """Valid, and yet with its halo a pixel in sixteen is one: tens of gigabytes."""
    channels = 2**24
    weight = Weight((channels, 1, 3, 3), np.zeros(0, np.float32), np.zeros(0, np.int64))
    node = Node("conv", "conv", ("x",), "y", WINDOW | {"groups": channels}, {"weight": "w"})
    with pytest.raises(RuntimeFileError, match=r"a value takes 9663676416 bytes .* should take at most 4294967296"):
        Engine(Graph("x", (channels, 1, 2), (node,), "y", {"w": weight}))


def test_profile_names_the_layers_and_counts_their_work():
    graph = convolution((8, 14, 14), 16, 3, 0.25)
    engine = Engine(graph)
    times = engine.profile(np.zeros((8, 14, 14), np.float32), calls=2)
    [layer] = [one for one in times if one.flops]
    assert layer.layer == "conv"
    assert layer.flops == 2 * 14 * 14 * np.count_nonzero(graph.weights["w"].values)
    assert all(one.seconds > 0 for one in times)
