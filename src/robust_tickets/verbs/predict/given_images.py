"""Images as they are given: files, folders, PIL images, arrays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.foundation.errors import UserError


def given_images(images: Any) -> Iterator[tuple[str, Any]]:
    """Yield each image with its name; of folders every image file in them, of arrays of many one after the other.

    Raises:
        UserError: a path is missing, or a folder holds no image.
    """
    if isinstance(images, str | Path):
        yield from image_files(Path(images))
    elif isinstance(images, list | tuple):
        for number, image in enumerate(images):
            if isinstance(image, str | Path):
                yield from image_files(Path(image))
            else:
                yield str(number), image
    elif getattr(images, "ndim", 0) == 4:
        for number, image in enumerate(images):
            yield str(number), image[None]
    else:
        yield "0", images


def image_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield an image file, or those in a folder and in folders in it, in order.

    Raises:
        UserError: nothing is there, or no image.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if not path.is_dir():
        yield str(path), path
        return
    found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not found:
        raise UserError(f"{path}: contains no images ({', '.join(sorted(SUFFIXES))})")
    for file in found:
        yield str(file), file
