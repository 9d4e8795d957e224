"""Image files as a data set, decoded when asked for or kept in memory."""

import hashlib

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.fit import Fit
from robust_tickets.data.image_files import in_threads, open_image
from robust_tickets.data.listing import Listing
from robust_tickets.foundation.errors import UserError

MEMORY_LIMIT = 2**30
"""Bytes up to which a part is kept decoded."""

Skipped = tuple[tuple[str, str], ...]
"""Files left out, as (path, reason)."""


class FolderImages(Dataset[tuple[Tensor, int]]):
    """Images decoded when asked for, or kept decoded where all of a part fit into `MEMORY_LIMIT`.

    Args:
        listing: the files.
        fit: the network's input geometry.
        decoded: the images as evaluation sees them, where they are kept.
    """

    def __init__(self, listing: Listing, fit: Fit, decoded: ImageArrays | None) -> None:
        self.listing = listing
        self.fit = fit
        self.decoded = decoded
        self.labels = listing.labels

    def __len__(self) -> int:
        return len(self.listing.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a float image `(C, H, W)` in [0, 1], resized and cut as in evaluation, and its label."""
        if self.decoded is not None:
            return self.decoded[index]
        return self.fit.floats(self.original(index)), int(self.labels[index])

    def original(self, index: int, *stream: str | int) -> Image.Image:
        """Return the image as it lies on disk, upright; no random stream changes it."""
        return open_image(self.listing.path(index))

    def subset(self, indices: Tensor) -> "FolderImages":
        """Return the images at `indices`."""
        decoded = None if self.decoded is None else self.decoded.subset(indices)
        return FolderImages(self.listing.subset(indices), self.fit, decoded)

    def digest(self) -> str:
        """Return a fingerprint of names, lengths and labels of the files."""
        digest = hashlib.sha256()
        for index, file in enumerate(self.listing.files):
            length = self.listing.path(index).stat().st_size
            digest.update(f"{file}|{length}|{int(self.labels[index])}\n".encode())
        return digest.hexdigest()


def decode(listing: Listing, fit: Fit, *, skip_unreadable: bool) -> tuple[FolderImages, Skipped]:
    """Decode every file once, in threads, and keep the fitted images where they fit into memory.

    Raises:
        UserError: a file is unreadable and is to be refused, or skipping leaves a class without images.
    """
    count, shape = len(listing.files), (fit.channels, *fit.size)
    keep = count * shape[0] * shape[1] * shape[2] <= MEMORY_LIMIT
    images = torch.empty(count if keep else 0, *shape, dtype=torch.uint8)

    def problem(index: int) -> UserError | None:
        try:
            image = open_image(listing.path(index))
        except UserError as error:
            if not skip_unreadable:
                raise
            return error
        if keep:
            images[index] = fit(image)
        return None

    problems = in_threads(problem, range(count))
    readable = torch.tensor([index for index in range(count) if problems[index] is None], dtype=torch.long)
    skipped = tuple((str(listing.path(index)), str(error)) for index, error in enumerate(problems) if error)
    kept = listing.subset(readable) if skipped else listing
    if lost := set(listing.labels.tolist()) - set(kept.labels.tolist()):
        raise UserError(
            f"{listing.root}: none of the chosen images of class {listing.classes[min(lost)]!r} can be read"
        )
    decoded = ImageArrays(images[readable] if skipped else images, kept.labels) if keep else None
    return FolderImages(kept, fit, decoded), skipped
