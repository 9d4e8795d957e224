"""The size and channels that images share."""

from collections.abc import Sequence

import torch

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.image_files import header, in_threads, open_image
from robust_tickets.data.parts import Source
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.user import UserImages, image_geometry
from robust_tickets.foundation.errors import UserError

PROBED = 16
"""Items of a user's data set that are looked at to see whether all have one size."""

Geometry = tuple[tuple[int, int], int]
"""(height, width) and channels."""


def geometry(parts: Sequence[Source | PixelListing], size: tuple[int, int] | None, channels: int | None) -> Geometry:
    """Return the size and channels asked for, or else those that the images share.

    Raises:
        UserError: the images differ in what was not asked for.
    """
    if size is not None and channels is not None:
        return size, channels
    known = [(where, found) for part in parts for where, found in geometries(part)]
    first, (first_size, first_channels) = known[0]
    for where, (other_size, other_channels) in known:
        if channels is None and other_channels != first_channels:
            grey, colour = (where, first) if other_channels == 1 else (first, where)
            raise UserError(f"{grey}: is grey and {colour} in colour; set the data's `channels: 3` to convert (or 1)")
        if size is None and other_size != first_size:
            raise UserError(
                f"{where}: is {other_size[1]} x {other_size[0]} pixels and {first} {first_size[1]} x "
                f"{first_size[0]}; set the data's `size`, for example `size: 224`"
            )
    return size or first_size, channels or first_channels


def geometries(part: Source | PixelListing) -> list[tuple[str, Geometry]]:
    """Return where images of a part lie and their geometry: of all files, of a user's items only some."""
    if isinstance(part, ImageArrays):
        return [("an array", (part.size, part.channels))]
    if isinstance(part, UserImages):
        probed = torch.linspace(0, len(part) - 1, min(len(part), PROBED)).long().tolist()
        return [
            (
                f"{part.name}, item {int(part.indices[index])}",
                image_geometry(part.original(index)),
            )
            for index in probed
        ]
    paths = [part.path(index) for index in range(len(part.files))]
    found = [(str(path), seen) for path, seen in zip(paths, in_threads(header, paths), strict=True) if seen]
    if paths and not found:
        open_image(paths[0])
    return found
