"""The size and channels that images share."""

from collections.abc import Sequence
from pathlib import Path

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.file_facts import known_images
from robust_tickets.data.image_files import header, in_threads, open_image
from robust_tickets.data.parts import Source
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.user import UserImages, image_geometry
from robust_tickets.data.user_contents import PROBED, spaced
from robust_tickets.foundation.errors import UserError

Geometry = tuple[tuple[int, int], int]
"""(height, width) and channels."""


def geometry(parts: Sequence[Source | PixelListing], size: tuple[int, int] | None, channels: int | None) -> Geometry:
    """Return the size and channels asked for, or else those that the images share.

    Where some images are grey and others in colour they are given out in colour, as torchvision's ImageFolder does.

    Raises:
        UserError: the images differ in size, and none was asked for.
    """
    if size is not None and channels is not None:
        return size, channels
    known = [(where, found) for part in parts for where, found in geometries(part)]
    first, (first_size, _) = known[0]
    for where, (other_size, _) in known:
        if size is None and other_size != first_size:
            raise UserError(
                f"{where}: is {other_size[1]} x {other_size[0]} pixels and {first} {first_size[1]} x "
                f"{first_size[0]}; set the data's `size`, for example `size: 224`"
            )
    return size or first_size, channels or max(found[1] for _, found in known)


def geometries(part: Source | PixelListing) -> list[tuple[str, Geometry]]:
    """Return where images of a part lie and their geometry: of all files, of a user's items only some."""
    if isinstance(part, ImageArrays):
        return [("an array", (part.size, part.channels))]
    if isinstance(part, UserImages):
        return [
            (
                f"{part.name}, item {int(part.indices[index])}",
                image_geometry(part.original(index)),
            )
            for index in spaced(len(part), PROBED)
        ]
    paths = [part.path(index) for index in range(len(part.files))]
    known = known_images(part.root, part.files)

    def seen(index: int) -> Geometry | None:
        facts = known[index]
        return header(paths[index]) if facts is None else ((facts.height, facts.width), facts.channels)

    found = zip(paths, in_threads(seen, range(len(paths))), strict=True)
    return [(str(path), geometry) for path, geometry in found if geometry is not None] or unreadable(paths)


def unreadable(paths: Sequence[Path]) -> list[tuple[str, Geometry]]:
    """Refuse files of which no header can be read; without any there is nothing to refuse.

    Raises:
        UserError: what is wrong with the first.
    """
    if paths:
        open_image(paths[0])
    return []
