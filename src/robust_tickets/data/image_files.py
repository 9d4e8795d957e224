"""Single image files, decoded and upright."""

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from PIL import ExifTags, Image, ImageOps

from robust_tickets.foundation.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
SIDEWAYS = 5
"""EXIF orientations from this one on swap height and width."""
GREY_MODES = {"1", "L", "LA"}
DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
# What PIL's decoders raise on damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

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
    """Return the decoded image, turned upright as its EXIF orientation says.

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
        raise UserError(
            f"{path}: has more than 8 bits a channel (mode {upright.mode}); save it with 8, or set "
            "`on_unreadable: skip`"
        )
    return upright


def header(path: Path) -> tuple[tuple[int, int], int] | None:
    """Return an upright image's (height, width) and channels by its header, or None where that is damaged."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= SIDEWAYS
            size = (image.width, image.height) if turned else (image.height, image.width)
            return size, mode_channels(image)
    except DAMAGED:
        return None
