"""Kernels of sequences by themselves: halos, lanes that are no tokens, numbers of no row, tasks in any order."""

import numpy as np
import pytest

from robust_tickets.runtime.kernels.layout import Halo
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.commands import Attention, Embed, Gather, Scatter, Sequence
from robust_tickets.runtime.reference import COMPUTATIONS
from robust_tickets.runtime.steps.movement import gather_step, scatter_step
from robust_tickets.runtime.steps.tokens import attention_steps, embed_step, sequence_step
from tests.runtime.maps import TARGETS, arena_of, execute, fill, map_view, plain_view, random, read, vectors

HALO = Halo(1, 2, 0, 3)

on_targets = pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)


@on_targets
@pytest.mark.parametrize("length", [2, 5, 16, 40])
def test_numbers_of_no_row_read_nothing_outside_of_the_table(length: int, target: Target) -> None:
    """Around the table nothing is a number."""
    around = np.full((30, 3), np.nan, np.float32)
    around[10:15] = random(5, 3)
    table = around[10:15]
    strange = [np.nan, -1, 1e30, -np.inf, np.inf, 4.99, -0.5, 5, 2**31, 2**32, 2**32 + 512, 1e-40]
    rows = [0, 0, 4, 0, 4, 4, 0, 4, 4, 4, 4, 0]
    numbers = np.resize(np.array(strange, np.float32), (1, 1, length))
    source, result = map_view((1, 1, length), HALO), map_view((3, 1, length), Halo(0, 1))
    arena = arena_of(source, result)
    fill(arena, source, numbers, beyond=1e9)
    execute(embed_step(Embed("embed", source, result, table), arena.address, target))
    np.testing.assert_array_equal(read(arena, result), table[np.resize(rows, length)].T[:, None])


@on_targets
@pytest.mark.parametrize("channels", [1, 7, 33])
def test_every_row_is_found(channels: int, target: Target) -> None:
    table, numbers = random(300, channels), np.random.default_rng(0).permutation(300).astype(np.float32)
    source, result = map_view((1, 1, 300)), map_view((channels, 1, 300), HALO)
    arena = arena_of(source, result)
    fill(arena, source, numbers.reshape(1, 1, 300), beyond=0)
    execute(embed_step(Embed("embed", source, result, table), arena.address, target))
    np.testing.assert_array_equal(read(arena, result)[:, 0], table[numbers.astype(int)].T)
    one = np.zeros((1, channels), np.float32)
    execute(embed_step(Embed("embed", source, result, one), arena.address, target))
    assert not read(arena, result).any(), "of a table of one row it is the only one"


@on_targets
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("firsts", [0, 2])
@pytest.mark.parametrize("shape", [(3, 6, 7), (2, 1, 5), (4, 16, 16), (1, 2, 1)], ids=str)
def test_pixels_become_tokens(shape: tuple[int, int, int], firsts: int, plain: bool, target: Target) -> None:
    count = shape[1] * shape[2]
    source, result = (
        plain_view(shape) if plain else map_view(shape, HALO),
        map_view((shape[0], 1, firsts + count), HALO),
    )
    arena, image, added = arena_of(source, result), random(*shape), random(shape[0], firsts + count)
    fill(arena, source, image)
    execute(sequence_step(Sequence("row", source, result, firsts, added), arena.address, target))
    right = added.copy()
    right[:, firsts:] += image.reshape(shape[0], count)
    np.testing.assert_array_equal(read(arena, result)[:, 0], right)
    assert isinstance(result, MapView)
    pixels = result.layout.pixels()[1:2]
    inside = vectors(arena, result)[1:2].transpose(1, 0, 2, 3)[:, :, 2:-3]
    assert not inside[:, pixels[:, 2:-3] < 0].any(), "lanes that are no tokens are zero"


@on_targets
def test_tokens_are_cut_out_of_blocks(target: Target) -> None:
    image, source = random(3, 1, 50), map_view((3, 1, 50), HALO)
    for first, count in ((0, 2), (7, 20), (49, 1), (33, 17)):
        into, order = map_view((3, 1, count)), plain_view((3, 1, count))
        arena = arena_of(source, into, order)
        fill(arena, source, image)
        execute(gather_step(Gather("cut", source, into, first=first), arena.address, target))
        execute(scatter_step(Scatter("cut", source, order, first), arena.address, target))
        for view in (into, order):
            np.testing.assert_array_equal(read(arena, view), image[:, :, first : first + count])


@on_targets
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("lengths", [(3, 5), (37, 17), (90, 200), (1, 2), (16, 128)], ids=str)
def test_attention_between_maps_with_halos(lengths: tuple[int, int], masked: bool, target: Target) -> None:
    """Of parts of the channels of larger maps; what lies in lanes that are no tokens is as large as it may be."""
    heads, groups, depth, value_depth = 4, 2, 5, 3
    queries, keys = lengths
    counts = {
        "query": heads * depth,
        "key": groups * depth,
        "value": groups * value_depth,
        "result": heads * value_depth,
    }
    shapes = {name: (count, 1, queries if name in ("query", "result") else keys) for name, count in counts.items()}
    whole = {name: map_view((shape[0] + 2, *shape[1:]), HALO) for name, shape in shapes.items()}
    part = {name: MapView(view.buffer, view.layout, 1, counts[name]) for name, view in whole.items()}
    mask = map_view((1, 1, keys), Halo(0, 1)) if masked else None
    arena = arena_of(*whole.values(), *([mask] if mask else []))
    given = {name: random(*shapes[name]) for name in ("query", "key", "value")}
    for name, value in given.items():
        fill(arena, part[name], value, beyond=1e4)
    inputs = [value[None].astype(np.float64) for value in given.values()]
    if mask:
        counted = np.resize(np.array([0, 1, 0.5, -2, 0], np.float32), (1, 1, keys))
        fill(arena, mask, counted, beyond=0)
        inputs.append(counted[None].astype(np.float64))
    command = Attention("attend", part["query"], part["result"], part["key"], part["value"], mask, heads, groups, 0.7)
    for step in attention_steps(command, arena.address, target):
        execute(step, pieces=5)
    right = COMPUTATIONS["attention"](inputs, {"heads": heads, "key_heads": groups, "scale": 0.7}, {})[0]
    np.testing.assert_allclose(read(arena, part["result"]), right, rtol=1e-4, atol=1e-5)
    outside = vectors(arena, whole["result"])[:, [0, -1]]
    assert np.isnan(outside).all(), "channels beside the target's are left alone"


def test_work_is_counted_by_what_is_multiplied() -> None:
    query, key = map_view((8, 1, 32)), map_view((8, 1, 40))
    result = map_view((8, 1, 32))
    arena = arena_of(query, key, result)
    steps = attention_steps(Attention("a", query, result, key, key, None, 2, 2, 1.0), arena.address, TARGETS[0])
    assert sum(step.flops for step in steps) == 2 * 32 * 40 * (8 + 8)
