"""Pixels reach the lanes and the halo where they belong, and come back."""

from dataclasses import replace

import numpy as np
import pytest

from robust_tickets.runtime.kernels.layout import GRIDS, Halo, Layout
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.commands import Border, CopyChannels, Gather, Scatter
from robust_tickets.runtime.steps.movement import border_step, copy_step, gather_step, scatter_step
from tests.runtime.maps import (
    TARGETS,
    Array,
    arena_of,
    execute,
    fill,
    map_view,
    plain_view,
    random,
    read,
    vectors,
)

SHAPES = [(3, 32, 32), (2, 9, 13), (4, 1, 5)]
HALO = Halo(2, 1, 1, 3)

on_targets = pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.cpu)
of_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def as_laid_out(view: MapView, value: Array) -> Array:
    """All vectors of a map that has a value, zero where there is no pixel."""
    arena = arena_of(view)
    fill(arena, view, value, beyond=0)
    return vectors(arena, view).copy()


@on_targets
@of_shapes
@pytest.mark.parametrize("from_map", [False, True])
def test_pixels_are_gathered_with_their_halo(shape: tuple[int, int, int], from_map: bool, target: Target) -> None:
    grid = GRIDS[3]
    block = (-(-shape[1] // grid[0]), -(-shape[2] // grid[1]))
    other = Layout(*shape, grid, block)
    source = map_view(shape, Halo(1, 1), other) if from_map else plain_view(shape)
    image, result = random(*shape), map_view(shape, HALO)
    arena = arena_of(source, result)
    fill(arena, source, image)
    execute(gather_step(Gather("gather", source, result), arena.address, target))
    np.testing.assert_array_equal(vectors(arena, result), as_laid_out(result, image))


@on_targets
def test_only_pixels_are_scaled_on_the_way(target: Target) -> None:
    shape = (3, 10, 7)
    source, result, image = plain_view(shape), map_view(shape, HALO), random(*shape)
    scale, shift = random(3), random(4)[1:]
    arena = arena_of(source, result)
    fill(arena, source, image)
    execute(gather_step(Gather("gather", source, result, scale, shift), arena.address, target))
    right = image * scale[:, None, None] + shift[:, None, None]
    np.testing.assert_allclose(vectors(arena, result), as_laid_out(result, right), rtol=1e-5, atol=1e-6)


@on_targets
@of_shapes
@pytest.mark.parametrize("reach", [1, 11])
def test_the_halo_comes_from_the_blocks(shape: tuple[int, int, int], reach: int, target: Target) -> None:
    """A large one, of a large dilation, too, which would take minutes to compile if it were written out."""
    view, image = map_view(shape, Halo(reach, reach, reach, reach)), random(*shape)
    arena = arena_of(view)
    fill(arena, view, image)
    whole, (high, wide) = vectors(arena, view), view.layout.block
    inner = slice(reach, reach + high), slice(None), slice(reach, reach + wide)
    blocks = whole[inner].copy()
    whole[:] = np.nan
    whole[inner] = blocks
    execute(border_step(Border("border", view, view), arena.address, target))
    np.testing.assert_array_equal(whole, as_laid_out(view, image))


@on_targets
@of_shapes
def test_pixels_are_brought_back_in_order(shape: tuple[int, int, int], target: Target) -> None:
    source, result, image = map_view(shape, HALO), plain_view(shape), random(*shape)
    arena = arena_of(source, result)
    fill(arena, source, image)
    execute(scatter_step(Scatter("scatter", source, result), arena.address, target))
    np.testing.assert_array_equal(read(arena, result), image)


@on_targets
def test_channels_of_a_map_are_copied_beside_others(target: Target) -> None:
    shape, channels = (5, 9, 13), np.array([4, 0, 2])
    source, result = map_view(shape, Halo(1, 1)), map_view((7, 9, 13), Halo(0, 0, 2, 2))
    place = replace(result, first=2, channels=3)
    image, before = random(*shape), random(7, 9, 13)
    arena = arena_of(source, result)
    fill(arena, source, image)
    fill(arena, result, before)
    execute(copy_step(CopyChannels("copy", source, place, channels), arena.address, target))
    before[2:5] = image[channels]
    np.testing.assert_array_equal(read(arena, result), before)


@on_targets
def test_channels_of_a_plain_value_are_copied_beside_others(target: Target) -> None:
    source, result, image = plain_view((4, 3, 2)), plain_view((6, 3, 2)), random(4, 3, 2)
    arena, before = arena_of(source, result), random(6, 3, 2)
    fill(arena, source, image)
    fill(arena, result, before)
    command = CopyChannels("copy", source, result, np.array([3, 1]), first=2)
    execute(copy_step(command, arena.address, target))
    before[2:4] = image[[3, 1]]
    np.testing.assert_array_equal(read(arena, result), before)
