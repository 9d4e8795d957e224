"""Single pictures: from image files and arrays, as floats."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from robust_tickets.data.images.arrays import uint8_images
from robust_tickets.data.images.image_files import SUFFIXES, mode_channels, open_image, unshowable
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path, write_bytes
from robust_tickets.foundation.ownership import GENERATOR, require_ours


def is_picture(path: Path) -> bool:
    """Return whether a path is that of an image file."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_picture(path: Path | str) -> Tensor:
    """Return the picture in an image file, upright, float `(C, H, W)` in [0, 1], C 1 or 3.

    Raises:
        UserError: there is none, or it cannot be decoded.
    """
    path = given_path(str(path))
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an image file")
    return of_image(open_image(path))


def read_mask(path: str) -> Tensor:
    """Return where an image file is white and not transparent, bool `(1, H, W)`.

    Raises:
        UserError: see `read_picture`.
    """
    file = given_path(path)
    white = read_picture(file).mean(0, keepdim=True) >= 0.5
    image = open_image(file)
    if not image.has_transparency_data:
        return white
    return white & (torch.from_numpy(np.asarray(image.convert("RGBA"))[:, :, 3].copy()) >= 128)


def of_image(image: Image.Image) -> Tensor:
    """Return an image of PIL as floats `(C, H, W)` in [0, 1].

    Raises:
        UserError: it has more than 8 bits, or another kind of colours.
    """
    if (complaint := unshowable(image)) is not None:
        raise UserError(f"the picture {complaint}")
    grey = mode_channels(image.mode) == 1
    values = np.asarray(image.convert("L" if grey else "RGB"))
    return torch.from_numpy(values.copy()).reshape(*values.shape[:2], -1).permute(2, 0, 1).float() / 255


def of_array(values: Any, where: str) -> Tensor:
    """Return an array `(H, W)`, `(H, W, C)` or `(C, H, W)` of uint8, or of floats in [0, 1], as such floats.

    Raises:
        UserError: it is no picture, or has other values.
    """
    array = np.asarray(values)
    if array.ndim not in (2, 3):
        raise UserError(f"{where}: has shape {array.shape}; a picture is (H, W), (H, W, C) or (C, H, W), C 1 or 3")
    return uint8_images(array[None], where)[0].float() / 255


def write_picture(picture: Tensor, path: Path) -> Path:
    """Write a picture `(C, H, W)` in [0, 1], C 1 or 3, as a PNG file that says that it is ours.

    Raises:
        UserError: the path does not end in .png, holds somebody else's file, or cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"{path}: pictures are written as PNG files; end the name in .png")
    require_ours(path)
    values = picture.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    said, buffer = PngInfo(), io.BytesIO()
    said.add_text("Software", GENERATOR)
    Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values).save(buffer, "PNG", pnginfo=said)
    write_bytes(path, buffer.getvalue())
    return path
