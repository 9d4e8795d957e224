"""Single image files: their headers, and what they hold, decoded and upright."""

import io
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from PIL import ExifTags, Image, ImageOps

from robust_tickets.foundation.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
SIDEWAYS = 5
"""EXIF orientations from this one on swap height and width."""
GREY_MODES = {"1", "L", "LA"}
COLOUR_MODES = {"RGB", "P", "RGBA", "PA", "CMYK", "YCbCr", "HSV", "RGBX", "RGBa"}
DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
# What PIL's decoders raise on damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
"""How files of the most frequent formats begin; PIL would try the others first."""
PNG_EXIF = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
"""What the bytes of a PNG contain where they speak of an orientation."""
AT_ONCE = 16
"""Items that a thread takes at once: handing over a small image takes longer than decoding it."""

T = TypeVar("T")
R = TypeVar("R")


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return `work` of each item, in order; PIL decodes outside Python's lock.

    Raises:
        Exception: what `work` raises, of the first item for which it does.
    """

    def some(start: int) -> list[R]:
        return [work(item) for item in items[start : start + AT_ONCE]]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return [result for results in pool.map(some, range(0, len(items), AT_ONCE)) for result in results]


def mode_channels(mode: str) -> Literal[1, 3]:
    """Return 1 for grey images and 3 for any in colour (palette, CMYK and transparency included)."""
    return 1 if mode in GREY_MODES else 3


def open_image(path: Path) -> Image.Image:
    """Return the decoded image of a file; see `decoded_image`.

    Raises:
        UserError: the file cannot be read or decoded.
    """
    return decoded_image(read_file(path), path)


def read_file(path: Path | str) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); replace it") from None


def decoded_image(content: bytes, where: Path | str) -> Image.Image:
    """Return the image in the bytes of a file, turned upright as its EXIF orientation says.

    Its mode is one that PIL converts to grey and to RGB, as torchvision's ImageFolder does.

    Raises:
        UserError: the image is truncated or damaged, has more than 8 bits a channel, or no colours that RGB knows.
    """
    try:
        with opened(content) as image:
            image.load()
            # Other formats may want to read on, and the file is closed.
            whole = image.format in MAGIC.values() and not turned(image, content)
            upright = image if whole else ImageOps.exif_transpose(image)
    except DAMAGED as error:
        raise unreadable(error, where) from None
    if reason := unshowable(upright):
        raise UserError(f"{where}: {reason}")
    return upright


class Glance(NamedTuple):
    """What the header of an image file tells.

    Attributes:
        height: of the upright image, pixels.
        width: of the upright image, pixels.
        mode: as PIL names it.
    """

    height: int
    width: int
    mode: str


def glance(content: bytes, where: Path | str) -> Glance:
    """Return what the header of an image tells, without decoding it.

    Raises:
        UserError: it is damaged, or announces what `decoded_image` refuses.
    """
    try:
        with opened(content) as image:
            sideways = turned(image, content) >= SIDEWAYS
    except DAMAGED as error:
        raise unreadable(error, where) from None
    if reason := unshowable(image):
        raise UserError(f"{where}: {reason}")
    return Glance(*((image.width, image.height) if sideways else (image.height, image.width)), image.mode)


def opened(content: bytes) -> Image.Image:
    """Return the image in the bytes of a file, of which the header alone is read."""
    known = next((name for magic, name in MAGIC.items() if content.startswith(magic)), None)
    return Image.open(io.BytesIO(content), formats=None if known is None else [known])


def turned(image: Image.Image, content: bytes) -> int:
    """Return the EXIF orientation of an opened image; 0 where it is upright as it lies."""
    # These PIL turns itself.
    if image.format == "TIFF":
        return 0
    # To look for what may follow the pixels PIL would decode them.
    if image.format == "PNG" and not any(mark in content for mark in PNG_EXIF):
        return 0
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation != 1 else 0


def unreadable(error: Exception, where: Path | str) -> UserError:
    """Return the complaint about a file that PIL cannot read."""
    reason = "its image format is not recognised" if isinstance(error, Image.UnidentifiedImageError) else error
    return UserError(f"{where}: unreadable image ({reason}); replace it")


def unshowable(image: Image.Image) -> str | None:
    """Return why an image cannot become 8-bit grey or RGB, and what would be right; None if it can.

    PIL converts 16 bits too, by cutting off everything above 255.
    """
    if image.mode in DEEP_MODES:
        return f"has more than 8 bits per channel (mode {image.mode}); save it with 8"
    if image.mode not in GREY_MODES | COLOUR_MODES:
        return f"has mode {image.mode}, which cannot become grey and RGB; save it as RGB"
    return None
