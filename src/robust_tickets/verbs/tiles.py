"""A large picture in tiles, and the tiles as one picture again."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Tile:
    """Where a tile lies in a picture, pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, picture: Tensor, factor: int = 1) -> Tensor:
        """Return the tile of a picture `(C, H, W)`, or of one that is `factor` times as large."""
        top, left, height, width = (factor * number for number in (self.top, self.left, self.height, self.width))
        return picture[:, top : top + height, left : left + width]


def tiles_of(size: tuple[int, int], most: int, overlap: int) -> list[Tile]:
    """Return tiles of about one size, at most `most` pixels to a side, that cover a picture row by row.

    Args:
        size: height and width of the picture.
        most: longest side of a tile; more than twice the overlap.
        overlap: how far neighbours overlap, at least.
    """
    rows, columns = (spans(side, most, overlap) for side in size)
    return [Tile(top, left, height, width) for top, height in rows for left, width in columns]


def spans(length: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """Return starts and lengths of spans that cover a side, all of one length."""
    if length <= most:
        return [(0, length)]
    count = -(-(length - overlap) // (most - overlap))
    side = -(-(length + (count - 1) * overlap) // count)
    return [(round(index * (length - side) / (count - 1)), side) for index in range(count)]


def known_piece(known: Tensor, height: int, width: int) -> Tile:
    """Return the piece of this size of a picture in which most pixels are known; of several the one in the middle.

    Args:
        known: bool `(1, H, W)`.
        height, width: of the piece, no larger than the picture.
    """
    # Sums over all pixels above and to the left: a rectangle's are four of them.
    sums = F.pad(known[0].long().cumsum(0).cumsum(1), (1, 0, 1, 0))
    counts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    places = (counts == counts.max()).nonzero()
    middle = torch.tensor([(side - 1) // 2 for side in counts.shape])
    top, left = places[(places - middle).square().sum(1).argmin()].tolist()
    return Tile(top, left, height, width)


def blended(tiles: Sequence[Tile], pictures: Sequence[Tensor], size: tuple[int, int], factor: int = 1) -> Tensor:
    """Return the picture `(C, H, W)` that tiles make; where they overlap, each fades out towards its edge.

    Args:
        tiles: where they lie.
        pictures: of each tile, `factor` times as large as it.
        size: height and width of the picture of which they are tiles.
        factor: by how much the result is larger than that.
    """
    channels = pictures[0].shape[0]
    total = torch.zeros(channels, factor * size[0], factor * size[1])
    weight = torch.zeros(1, *total.shape[1:])
    for tile, picture in zip(tiles, pictures, strict=True):
        fading = fade(picture.shape[1])[:, None] * fade(picture.shape[2])
        tile.of(total, factor).add_(picture * fading)
        tile.of(weight, factor).add_(fading)
    return total / weight


def fade(side: int) -> Tensor:
    """Return weights that rise from the edges of a side towards its middle, all above 0."""
    places = torch.arange(side, dtype=torch.float32)
    return torch.minimum(places, side - 1 - places) + 1
