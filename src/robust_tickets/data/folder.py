"""Image files, one folder per class."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.fit import Fit
from robust_tickets.foundation.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
MEMORY_LIMIT = 2**30
"""Bytes up to which a part is kept decoded."""
GREY_MODES = {"1", "L", "LA"}
DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
# What PIL's decoders raise on damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

T = TypeVar("T")
R = TypeVar("R")


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return `work` of each item, in order; PIL decodes outside Python's lock."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def mode_channels(image: Image.Image) -> Literal[1, 3]:
    """Return 1 for grey images and 3 for any in colour (palette, CMYK and transparency included)."""
    return 1 if image.mode in GREY_MODES else 3


def open_image(path: Path) -> Image.Image:
    """Return the decoded image, upright.

    Raises:
        UserError: the file is truncated or unreadable, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
    except DAMAGED as error:
        reason = "no image format is recognised" if isinstance(error, Image.UnidentifiedImageError) else error
        raise UserError(
            f"{path}: unreadable image ({reason}); replace or remove it, or set `on_unreadable: skip`"
        ) from None
    if upright.mode in DEEP_MODES:
        raise UserError(f"{path}: has more than 8 bits a channel (mode {upright.mode}); save it with 8")
    return upright


@dataclass(frozen=True)
class Listing:
    """The files of one part.

    Attributes:
        root: the part's folder.
        files: paths below root, sorted by class and name.
        labels: int64 `(N,)`.
        classes: names of the class folders, sorted.
    """

    root: Path
    files: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]

    def path(self, index: int) -> Path:
        """Return the path of one file."""
        return self.root / self.files[index]

    def subset(self, indices: Tensor) -> "Listing":
        """Return the files at `indices`."""
        files = tuple(self.files[index] for index in indices.tolist())
        return Listing(self.root, files, self.labels[indices], self.classes)


def class_folders(root: Path) -> list[Path]:
    """Return the visible subfolders of `root`, sorted by name."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def list_folder(root: Path) -> Listing:
    """Return the images below `root`, whose subfolders are the classes. Hidden files are ignored.

    Raises:
        UserError: there is no class folder or only one, a class is empty, or a file is not an image.
    """
    folders = class_folders(root)
    if not folders:
        raise UserError(
            f"{root}: holds no class folders; put the images of each class into a subfolder of its own"
        )
    files, labels = [], []
    for label, folder in enumerate(folders):
        below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        found = sorted(path for path in below if not any(part.startswith(".") for part in path.parts))
        if strange := [path for path in found if path.suffix.lower() not in SUFFIXES]:
            raise UserError(
                f"{folder / strange[0]}: is not an image by its name (nor are {len(strange) - 1} others of this "
                f"class); remove it, or save it as one of {' '.join(sorted(SUFFIXES))}"
            )
        if not found:
            raise UserError(f"{folder}: the class folder is empty; add images or remove the folder")
        files += [(Path(folder.name) / path).as_posix() for path in found]
        labels += [label] * len(found)
    if len(folders) == 1:
        raise UserError(f"{root}: has one class only ({folders[0].name}); classification needs at least two")
    return Listing(root, tuple(files), torch.tensor(labels), tuple(folder.name for folder in folders))


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
        return self.fit(self.original(index)).float() / 255, int(self.labels[index])

    def original(self, index: int) -> Image.Image:
        """Return the image as it lies on disk, upright."""
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
