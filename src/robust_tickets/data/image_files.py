"""Single image files, decoded and upright."""

import io
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
COLOUR_MODES = {"RGB", "P", "RGBA", "PA", "CMYK", "YCbCr", "HSV", "RGBX", "RGBa"}
DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
SKIP = "`on_unreadable: skip`"
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
    """Return the decoded image of a file; see `decoded_image`.

    Raises:
        UserError: the file cannot be read or decoded.
    """
    return decoded_image(read_file(path), path)


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); replace or remove it, or set {SKIP}") from None


def decoded_image(content: bytes, path: Path) -> Image.Image:
    """Return the image in the bytes of a file, turned upright as its EXIF orientation says.

    Its mode is one that PIL converts to grey and to RGB, as torchvision's ImageFolder does.

    Raises:
        UserError: the image is truncated or damaged, has more than 8 bits a channel, or no colours that RGB knows.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
    except DAMAGED as error:
        reason = "no image format is recognised" if isinstance(error, Image.UnidentifiedImageError) else error
        raise UserError(f"{path}: unreadable image ({reason}); replace or remove it, or set {SKIP}") from None
    if reason := unshowable(upright):
        raise UserError(f"{path}: {reason}, or set {SKIP}")
    return upright


def unshowable(image: Image.Image) -> str | None:
    """Return why an image cannot become 8-bit grey or RGB, and what would be right; None where it can.

    PIL converts 16 bits too, by cutting off everything above 255.
    """
    if image.mode in DEEP_MODES:
        return f"has more than 8 bits a channel (mode {image.mode}); save it with 8"
    if image.mode not in GREY_MODES | COLOUR_MODES:
        return f"has mode {image.mode}, which does not turn into grey and RGB; save it as RGB"
    return None


def header(path: Path) -> tuple[tuple[int, int], int] | None:
    """Return an upright image's (height, width) and channels by its header, or None where that is damaged."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= SIDEWAYS
            size = (image.width, image.height) if turned else (image.height, image.width)
            return size, mode_channels(image)
    except DAMAGED:
        return None
