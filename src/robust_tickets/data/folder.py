"""Image files as a data set, decoded when asked for or kept in memory."""

import hashlib
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.file_facts import ImageFacts, image_facts, usable
from robust_tickets.data.fit import Fit
from robust_tickets.data.image_files import open_image
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
        facts: what is known of each.
        fit: the network's input geometry.
        decoded: the images as evaluation sees them, where they are kept.
    """

    def __init__(self, listing: Listing, facts: Sequence[ImageFacts], fit: Fit, decoded: ImageArrays | None) -> None:
        self.listing = listing
        self.facts = tuple(facts)
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
        facts = [self.facts[index] for index in indices.tolist()]
        return FolderImages(self.listing.subset(indices), facts, self.fit, decoded)

    def digest(self) -> str:
        """Return a fingerprint of names, contents and labels of the files."""
        digest = hashlib.sha256()
        for file, facts, label in zip(self.listing.files, self.facts, self.labels.tolist(), strict=True):
            digest.update(f"{file}|{facts.digest}|{label}\n".encode())
        return digest.hexdigest()


def without_unreadable(listing: Listing) -> tuple[Listing, Skipped]:
    """Leave out files that cannot be decoded, before anything is chosen from them.

    Raises:
        UserError: a class has no readable image.
    """
    found = image_facts(listing.root, listing.files)
    faults = [fault if isinstance(fault, UserError) else None for fault in found]
    kept = listing.subset(torch.tensor([fault is None for fault in faults]).nonzero().flatten())
    if lost := set(listing.labels.tolist()) - set(kept.labels.tolist()):
        raise UserError(f"{listing.root / listing.classes[min(lost)]}: none of the images of this class can be read")
    left_out = ((listing.path(index), fault) for index, fault in enumerate(faults) if fault is not None)
    return kept, tuple((str(path), str(fault)) for path, fault in left_out)


def decode(listing: Listing, fit: Fit) -> FolderImages:
    """See that every file can be decoded, in threads, and keep the fitted images where they fit into memory.

    Raises:
        UserError: a file is unreadable.
    """
    count, shape = len(listing.files), (fit.channels, *fit.size)
    keep = count * shape[0] * shape[1] * shape[2] <= MEMORY_LIMIT
    images = torch.empty(count if keep else 0, *shape, dtype=torch.uint8)

    def put(index: int, image: Image.Image) -> None:
        images[index] = fit(image)

    facts = usable(image_facts(listing.root, listing.files, put if keep else None))
    return FolderImages(listing, facts, fit, ImageArrays(images, listing.labels) if keep else None)
