"""Tiles: they cover a picture, overlap as asked, and blended they are the picture again."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from robust_tickets.verbs.tiles import Tile, blended, fade, known_piece, spans, tiles_of

SETTINGS = [(most, overlap) for most in (1, 2, 3, 7, 16, 33, 64) for overlap in (0, 1, 2, 5, 16) if most > 2 * overlap]


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("most", "overlap"), SETTINGS)
def test_spans_cover_a_side_and_overlap_as_asked(most: int, overlap: int) -> None:
    for length in range(1, 200):
        found = spans(length, most, overlap)
        assert found[0][0] == 0
        assert sum(found[-1]) == length
        assert len({side for _, side in found}) == 1, "all are of one length"
        assert all(1 <= side <= most for _, side in found)
        for (start, side), (following, _) in pairwise(found):
            assert start < following
            assert start + side - following >= overlap


@pytest.mark.parametrize(("most", "overlap"), SETTINGS)
def test_no_fewer_spans_would_do(most: int, overlap: int) -> None:
    for length in range(1, 200):
        fewer = len(spans(length, most, overlap)) - 1
        reach = fewer * most - (fewer - 1) * overlap if fewer else 0
        assert reach < length


@pytest.mark.parametrize(("most", "overlap"), [(7, 2), (16, 5), (64, 0)])
def test_tiles_cover_every_pixel_row_by_row(most: int, overlap: int) -> None:
    for height, width in product((1, 6, 7, 8, 30, 65), (1, 7, 19, 64)):
        tiles = tiles_of((height, width), most, overlap)
        seen = torch.zeros(1, height, width)
        for tile in tiles:
            assert tile.of(seen).shape == (1, tile.height, tile.width)
            tile.of(seen).add_(1)
        assert bool((seen > 0).all())
        assert tiles == sorted(tiles, key=lambda tile: (tile.top, tile.left))
        assert len({(tile.height, tile.width) for tile in tiles}) == 1


def test_a_picture_that_is_small_enough_is_one_tile() -> None:
    for size in ((64, 64), (3, 50)):
        assert tiles_of(size, 64, 16) == [Tile(0, 0, *size)]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_blended_tiles_of_a_picture_are_the_picture(factor: int) -> None:
    for (height, width), (most, overlap) in product(((5, 9), (20, 24), (33, 17)), ((7, 2), (9, 0), (16, 5))):
        whole = picture(factor * height, factor * width)
        tiles = tiles_of((height, width), most, overlap)
        again = blended(tiles, [tile.of(whole, factor) for tile in tiles], (height, width), factor)
        assert again.shape == whole.shape
        torch.testing.assert_close(again, whole, atol=1e-6, rtol=1e-5)


def test_a_tile_of_an_enlarged_picture_is_the_enlarged_tile() -> None:
    small = picture(12, 15)
    large = small.repeat_interleave(3, 1).repeat_interleave(3, 2)
    for tile in tiles_of((12, 15), 7, 2):
        assert torch.equal(tile.of(large, 3), tile.of(small).repeat_interleave(3, 1).repeat_interleave(3, 2))


def test_one_tile_fades_into_the_next() -> None:
    """Of a black and a white tile beside each other: black, brighter at every pixel of the overlap, white."""
    tiles = tiles_of((4, 20), 12, 4)
    assert [(tile.left, tile.width) for tile in tiles] == [(0, 12), (8, 12)]
    row = blended(tiles, [torch.zeros(1, 4, 12), torch.ones(1, 4, 12)], (4, 20))[0, 2]
    assert not bool(row[:8].any())
    assert bool((row[12:] == 1).all())
    steps = row[7:13].diff()
    assert bool((steps > 0).all())
    torch.testing.assert_close(row, 1 - row.flip(0))
    assert steps.max() < 0.5, "nowhere is a seam"


def test_every_place_of_a_tile_counts_for_something() -> None:
    for side in range(1, 9):
        weights = fade(side)
        assert bool((weights > 0).all())
        assert torch.equal(weights, weights.flip(0))
        assert weights.max() == weights[side // 2]


def test_pictures_beside_each_other_mix_nothing_outside_their_overlap() -> None:
    tiles = tiles_of((10, 20), 12, 2)
    pictures = [torch.full((1, tile.height, tile.width), float(number)) for number, tile in enumerate(tiles)]
    found = blended(tiles, pictures, (10, 20))
    for number, tile in enumerate(tiles):
        alone = torch.ones(1, 10, 20, dtype=torch.bool)
        for other in tiles:
            if other != tile:
                other.of(alone).fill_(False)
        inside = torch.zeros_like(alone)
        tile.of(inside).fill_(True)
        assert bool((alone & inside).any())
        torch.testing.assert_close(found[alone & inside], torch.full_like(found[alone & inside], float(number)))


@pytest.mark.parametrize("seed", range(4))
def test_a_piece_is_where_most_is_known(seed: int) -> None:
    """Against every place that there is."""
    known = torch.rand(1, 13, 11, generator=torch.Generator().manual_seed(seed)) < 0.5
    for height, width in product((1, 4, 13), (1, 5, 11)):
        found = known_piece(known, height, width)
        places = product(range(13 - height + 1), range(11 - width + 1))
        counts = [int(Tile(top, left, height, width).of(known).sum()) for top, left in places]
        assert found.of(known).shape == (1, height, width)
        assert int(found.of(known).sum()) == max(counts)


def test_a_piece_of_a_whole_picture_is_its_middle() -> None:
    whole = torch.ones(1, 20, 31, dtype=torch.bool)
    assert known_piece(whole, 8, 9) == Tile(6, 11, 8, 9)
    assert known_piece(whole, 20, 31) == Tile(0, 0, 20, 31)
    whole[:, 8:12] = False
    assert known_piece(whole, 8, 9) == Tile(0, 11, 8, 9), "beside the hole, and no further to the side"
