"""Image files as a data set, decoded when asked for or kept in memory."""

import hashlib
from pathlib import Path

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


def without_unreadable(listing: Listing) -> tuple[Listing, Skipped]:
    """Decode every file once and leave out those that cannot be, before anything is chosen from them.

    Raises:
        UserError: a class has no readable image.
    """

    def problem(path: Path) -> UserError | None:
        try:
            open_image(path)
        except UserError as error:
            return error
        return None

    paths = [listing.path(index) for index in range(len(listing.files))]
    problems = in_threads(problem, paths)
    kept = listing.subset(torch.tensor([error is None for error in problems]).nonzero().flatten())
    if lost := set(listing.labels.tolist()) - set(kept.labels.tolist()):
        raise UserError(f"{listing.root / listing.classes[min(lost)]}: none of the images of this class can be read")
    return kept, tuple((str(path), str(error)) for path, error in zip(paths, problems, strict=True) if error)


def decode(listing: Listing, fit: Fit) -> FolderImages:
    """Decode every file once, in threads, and keep the fitted images where they fit into memory.

    Raises:
        UserError: a file is unreadable.
    """
    count, shape = len(listing.files), (fit.channels, *fit.size)
    keep = count * shape[0] * shape[1] * shape[2] <= MEMORY_LIMIT
    images = torch.empty(count if keep else 0, *shape, dtype=torch.uint8)

    def work(index: int) -> None:
        image = open_image(listing.path(index))
        if keep:
            images[index] = fit(image)

    in_threads(work, range(count))
    return FolderImages(listing, fit, ImageArrays(images, listing.labels) if keep else None)
