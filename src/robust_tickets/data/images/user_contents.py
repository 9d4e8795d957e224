"""What a user's data set holds, as a fingerprint: its files, where it says which they are, and its items."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from robust_tickets.foundation.digests import file_digests

FILE_LISTS = ("samples", "_samples", "imgs", "_image_files", "image_files", "images", "files", "paths")
"""Where torchvision's data sets and those made after their pattern keep paths, or pairs of path and label."""

PROBED = 16
"""Items loaded twice, to see whether they are the same twice; and loaded at all where the files are known."""

LIMIT = 10_000
"""Items loaded where no files are known; of a larger set this many, evenly spaced."""


def stored_files(dataset: Any) -> list[Path] | None:
    """Return the file of each item, if a data set stores them all; else None."""
    if isinstance(dataset, Subset):
        inner = stored_files(dataset.dataset)
        return None if inner is None else [inner[index] for index in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [stored_files(part) for part in dataset.datasets]
        return None if None in parts else [path for part in parts for path in part or ()]
    for name in FILE_LISTS:
        stored = getattr(dataset, name, None)
        if not isinstance(stored, list | tuple) or len(stored) != len(dataset):
            continue
        firsts: list[Any] = [entry[0] if isinstance(entry, list | tuple) and entry else entry for entry in stored]
        if all(isinstance(first, str | Path) for first in firsts) and all(Path(first).is_file() for first in firsts):
            return [Path(first) for first in firsts]
    return None


def contents(dataset: Any, positions: Tensor, load: Callable[[int], Image.Image | Tensor]) -> str:
    """Return a fingerprint of the chosen items of a data set.

    Files count with their bytes, and beside them some items show what the transforms make of them. Items that differ
    from one time to the next, because their transforms have random state of their own, tell nothing and count for
    nothing.

    Args:
        dataset: the user's data set.
        positions: int64 `(N,)`, which of its items.
        load: returns the image of the n-th of these, PIL or float `(C, H, W)`.
    """
    digest = hashlib.sha256()
    files = stored_files(dataset)
    if files is not None:
        for file in file_digests([files[position] for position in positions.tolist()]):
            digest.update(file.encode())
    probed = spaced(len(positions), PROBED)
    first, again = ([item(load(index)) for index in probed] for _ in range(2))
    if first == again:
        chosen = probed if files is not None else spaced(len(positions), LIMIT)
        for index in chosen:
            digest.update(item(load(index)))
    return digest.hexdigest()


def spaced(count: int, most: int) -> list[int]:
    """Return at most this many of `count` indices, evenly spaced."""
    return torch.linspace(0, count - 1, min(count, most), dtype=torch.float64).long().tolist()


def item(image: Image.Image | Tensor) -> bytes:
    """Return the digest of one image."""
    if isinstance(image, Tensor):
        shape, values = tuple(image.shape), image.contiguous().numpy().tobytes()
    else:
        shape, values = (image.mode, image.size), image.tobytes()
    return hashlib.sha256(repr(shape).encode() + values).digest()
