"""The first look at image files: do they all decode, and what geometry do they share?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.fit import Fit
from robust_tickets.data.folder import (
    DAMAGED,
    MEMORY_LIMIT,
    FolderImages,
    Listing,
    in_threads,
    mode_channels,
    open_image,
)
from robust_tickets.foundation.errors import UserError

OnUnreadable = Literal["refuse", "skip"]
Skipped = tuple[tuple[str, str], ...]


def header(path: Path) -> tuple[tuple[int, int], int] | None:
    """Return an image's (height, width) and channels, or None where its header is damaged."""
    try:
        with Image.open(path) as image:
            return (image.height, image.width), mode_channels(image)
    except DAMAGED:
        return None


def common_geometry(
    listings: Sequence[Listing], size: tuple[int, int] | None, channels: int | None
) -> tuple[tuple[int, int], int]:
    """Return the size and channels asked for, or else those that all the images share.

    Raises:
        UserError: the images differ in what was not asked for.
    """
    if size is not None and channels is not None:
        return size, channels
    paths = [listing.path(index) for listing in listings for index in range(len(listing.files))]
    known = [(path, found) for path, found in zip(paths, in_threads(header, paths), strict=True) if found]
    if not known:
        open_image(paths[0])
    first, (first_size, first_channels) = known[0]
    for path, (other_size, other_channels) in known:
        if channels is None and other_channels != first_channels:
            grey, colour = (path, first) if other_channels == 1 else (first, path)
            raise UserError(
                f"{grey}: is grey while {colour.name} is in colour; set the data's `channels: 3` (or 1) to convert "
                "all images"
            )
        if size is None and other_size != first_size:
            raise UserError(
                f"{path}: is {other_size[1]} x {other_size[0]} pixels while {first.name} is {first_size[1]} x "
                f"{first_size[0]}; set the data's `size`, for example `size: 224`"
            )
    return size or first_size, channels or first_channels


def decode(listing: Listing, fit: Fit, on_unreadable: OnUnreadable) -> tuple[FolderImages, Skipped]:
    """Decode every file once, in threads, and keep the fitted images where they fit into memory.

    Raises:
        UserError: a file is unreadable and is to be refused, or skipping leaves a class without images.
    """
    count = len(listing.files)
    keep = count * fit.channels * fit.size[0] * fit.size[1] <= MEMORY_LIMIT

    def fitted(index: int) -> Tensor | UserError | None:
        try:
            image = open_image(listing.path(index))
        except UserError as error:
            if on_unreadable == "refuse":
                raise
            return error
        return fit(image) if keep else None

    results = in_threads(fitted, range(count))
    readable = torch.tensor([not isinstance(result, UserError) for result in results], dtype=torch.bool)
    skipped = tuple(
        (str(listing.path(index)), str(result))
        for index, result in enumerate(results)
        if isinstance(result, UserError)
    )
    kept = listing.subset(readable.nonzero().flatten())
    if lost := set(listing.labels.tolist()) - set(kept.labels.tolist()):
        raise UserError(f"{listing.root}: no image of class {listing.classes[min(lost)]!r} can be read")
    images = [result for result in results if isinstance(result, Tensor)]
    decoded = ImageArrays(torch.stack(images), kept.labels) if images else None
    return FolderImages(kept, fit, decoded), skipped
