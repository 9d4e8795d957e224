from typing import Any

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.layout import Halo, Layout, best_layout
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Average, LayerNorm, Linear, Pointwise, Pool, Window
from robust_tickets.runtime.reference import ACTIVATIONS, COMPUTATIONS
from robust_tickets.runtime.rules.shapes import average_divisors
from robust_tickets.runtime.steps.matrix import SPARSE, linear_step
from robust_tickets.runtime.steps.normalise import layer_norm_step
from robust_tickets.runtime.steps.pointwise import pointwise_step
from robust_tickets.runtime.steps.pooling import average_step, pool_step
from tests.runtime.maps import TARGETS, Array, arena_of, execute, fill, map_view, plain_view, random, read


def windows(shape: tuple[int, int, int], attributes: dict[str, Any]) -> tuple[Window, tuple[int, int, int], Layout]:
    """A pooling's window, the shape of its result, and a layout of its input whose blocks are under the result's."""
    kernel, stride, padding = attributes["kernel"], attributes["stride"], attributes["padding"]
    dilation = attributes.get("dilation", [1, 1])
    reach = [(size - 1) * spread for size, spread in zip(kernel, dilation, strict=True)]
    high = (shape[1] + padding[0] + padding[2] - reach[0] - 1) // stride[0] + 1
    wide = (shape[2] + padding[1] + padding[3] - reach[1] - 1) // stride[1] + 1
    out = best_layout(shape[0], high, wide)
    block = (stride[0] * out.block[0], stride[1] * out.block[1])
    halo = Halo(padding[0], padding[1], reach[0], reach[1])
    window = Window(tuple(kernel), tuple(stride), tuple(padding), tuple(dilation))
    return window, (shape[0], high, wide), Layout(*shape, out.grid, block, halo)


POOLS = [
    ((3, 32, 32), [3, 3], [2, 2], [1, 1, 1, 1], [1, 1]),
    ((5, 13, 9), [3, 2], [2, 1], [1, 0, 1, 1], [1, 1]),
    ((2, 14, 14), [2, 2], [2, 2], [0, 0, 0, 0], [1, 1]),
    ((2, 15, 17), [3, 3], [1, 1], [1, 1, 2, 1], [1, 1]),
    ((2, 20, 20), [3, 3], [1, 2], [1, 1, 1, 1], [2, 3]),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding", "dilation"), POOLS)
def test_the_largest_of_each_window(
    shape: tuple[int, int, int],
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    target: Target,
) -> None:
    attributes = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    window, size, layout = windows(shape, attributes)
    source, result, image = map_view(shape, layout=layout), map_view(size, Halo(1, 1, 2, 1)), random(*shape) - 4
    arena = arena_of(source, result)
    fill(arena, source, image, beyond=1e9)
    execute(pool_step(Pool("pool", source, result, "max", window), arena.address, target))
    np.testing.assert_array_equal(read(arena, result), COMPUTATIONS["max_pool"]([image[None]], attributes, {})[0])


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), [case[:4] for case in POOLS[:4]])
def test_the_mean_of_each_window(
    shape: tuple[int, int, int],
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    include: bool,
    target: Target,
) -> None:
    attributes = {"kernel": kernel, "stride": stride, "padding": padding, "count_include_pad": include}
    window, size, layout = windows(shape, attributes)
    source, result, image = map_view(shape, layout=layout), map_view(size), random(*shape)
    arena = arena_of(source, result)
    fill(arena, source, image, beyond=0)
    command = Pool("pool", source, result, "avg", window, average_divisors(shape, attributes))
    execute(pool_step(command, arena.address, target))
    right = COMPUTATIONS["avg_pool"]([image[None]], attributes, {})[0]
    np.testing.assert_allclose(read(arena, result), right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize("shape", [(7, 7, 7), (3, 8, 8), (5, 1, 3), (2, 30, 17)])
def test_means_over_a_map(shape: tuple[int, int, int], target: Target) -> None:
    weights = np.abs(random(3, shape[1] * shape[2]))
    weights[0] = 1 / weights.shape[1]
    weights[1, ::2] = 0
    source, result, image = map_view(shape, Halo(1, 2, 1, 0)), plain_view((shape[0], 3)), random(*shape)
    arena = arena_of(source, result)
    fill(arena, source, image)
    execute(average_step(Average("mean", source, result, weights), arena.address, target))
    right = image.reshape(shape[0], -1).astype(np.float64) @ weights.T
    np.testing.assert_allclose(read(arena, result), right, rtol=1e-5, atol=1e-5)


def operated(kind: str, x: Array, y: Array, scale: Array, shift: Array) -> Array:
    by_channel = (-1, *[1] * (x.ndim - 1))
    match kind:
        case "affine":
            return x * scale.reshape(by_channel) + shift.reshape(by_channel)
        case "add" | "shift":
            return x + y
        case "mul" | "scale":
            return x * y
    return x


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize("kind", ["affine", "activation", "add", "mul", "scale", "shift"])
@pytest.mark.parametrize("shape", [(5, 14, 14), (3, 9, 11), (40, 1, 1), (1000,), (3, 5, 7), (2, 40, 40)])
@pytest.mark.parametrize("plain", [False, True])
def test_operations_on_every_number(kind: str, shape: tuple[int, ...], plain: bool, target: Target) -> None:
    if not plain and len(shape) == 1:
        shape = (*shape, 1, 1)
    by_number = kind in ("scale", "shift")
    x, scale, shift = random(*shape), random(shape[0]), random(shape[0] + 1)[1:]
    y = random(shape[0], *[1] * (len(shape) - 1)) if by_number else random(*shape) + 1
    views = [plain_view(shape) if plain else map_view(shape, halo) for halo in (None, Halo(1, 1, 1, 1), Halo(0, 2))]
    source, other, result = views
    if by_number:
        other = plain_view(y.shape)
    arena = arena_of(source, other, result)
    fill(arena, source, x)
    fill(arena, other, y)
    constants = (scale, shift) if kind == "affine" else (None, None)
    operand = None if kind in ("affine", "activation") else other
    name = "affine" if kind == "activation" else kind
    command = Pointwise("layer", source, result, name, operand, *constants, Activation("hardswish"))
    execute(pointwise_step(command, arena.address, target))
    right = ACTIVATIONS["hardswish"](operated(kind, x, y, scale, shift).astype(np.float64), {})
    np.testing.assert_allclose(read(arena, result), right, rtol=1e-5, atol=1e-6)


def test_a_sum_may_replace_its_first_term() -> None:
    shape = (6, 28, 28)
    source, other = map_view(shape), map_view(shape)
    arena = arena_of(source, other)
    x, y = random(*shape), random(*shape) + 1
    fill(arena, source, x)
    fill(arena, other, y)
    command = Pointwise("layer", source, source, "add", other, None, None, Activation("relu"))
    execute(pointwise_step(command, arena.address, TARGETS[0]))
    np.testing.assert_array_equal(read(arena, source), np.maximum(x + y, 0))


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize("density", [0.0, SPARSE / 3, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(10, 64), (33, 100), (1, 7), (16, 1), (100, 513)])
def test_a_matrix_times_features(shape: tuple[int, int], density: float, target: Target) -> None:
    matrix, bias = random(*shape), random(shape[0])
    matrix[np.random.default_rng(0).random(shape) >= density] = 0
    weights = Weight(shape, matrix.reshape(-1)), Weight(shape, matrix[matrix != 0], np.flatnonzero(matrix))
    source, result, features = plain_view((shape[1],)), plain_view((shape[0],)), random(shape[1])
    right = matrix.astype(np.float64) @ features + bias
    for weight in weights:
        arena = arena_of(source, result)
        fill(arena, source, features)
        step = linear_step(Linear("fc", source, result, weight, bias, Activation("relu")), arena.address, target)
        execute(step)
        assert step.flops == 2 * np.count_nonzero(matrix)
        np.testing.assert_allclose(read(arena, result), np.maximum(right, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("channels", [1, 7, 16, 40])
def test_every_pixel_is_normalised_over_its_channels(channels: int, plain: bool, target: Target) -> None:
    shape = (channels,) if plain else (channels, 9, 11)
    source, result = (plain_view(shape) if plain else map_view(shape, halo) for halo in (Halo(1, 1), Halo(0, 2, 1)))
    arena, x, scale, shift = arena_of(source, result), random(*shape) + 3, random(channels), random(channels + 1)[1:]
    fill(arena, source, x)
    execute(layer_norm_step(LayerNorm("norm", source, result, scale, shift, 1e-6), arena.address, target))
    weights = {"scale": scale.astype(np.float64), "shift": shift.astype(np.float64)}
    right = COMPUTATIONS["layer_norm"]([x[None].astype(np.float64)], {"epsilon": 1e-6}, weights)[0]
    np.testing.assert_allclose(read(arena, result), right, rtol=1e-4, atol=1e-5)


def test_one_window_over_one_pixel() -> None:
    node = Node(
        "max_pool", "pool", ("x",), "y", {"kernel": [3, 3], "stride": [1, 1], "padding": [1] * 4, "dilation": [1, 1]}
    )
    graph = Graph("x", (3, 1, 1), (node,), "y", {})
    image = random(1, 3, 1, 1) - 5
    engine = Engine(graph)
    np.testing.assert_array_equal(engine(image), image)
    engine.close()
