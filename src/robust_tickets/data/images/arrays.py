"""Images of one size, held in memory, and the values that they may have."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from robust_tickets.data.examples import Listing
from robust_tickets.data.images.fit import ImageFit, convert_channels, resize
from robust_tickets.data.images.images import Geometry, Images
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.targets.targets import Targets
from robust_tickets.foundation.errors import UserError

CHUNK = 1024
"""Images converted or hashed at once."""


class HeldArrays:
    """Images in memory, no larger than the network needs them.

    Args:
        images: uint8 `(N, C, h, w)`.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def floats(self, indices: Tensor) -> Tensor:
        """Return float images `(n, C, h, w)` in [0, 1]."""
        return self.images[indices].float().div_(255)


class ImageArrays(Images):
    """Images of one uint8 tensor.

    They are kept at their own resolution and enlarged batch by batch: 50,000 images of 32 x 32 seen at
    224 x 224 take 150 MB, not 7.5 GB. Larger images are reduced once, for all who ask for them.

    Args:
        images: uint8 `(N, C, H, W)`.
    """

    # All images of an array show the same scene at one size, so the part of a photograph that a network looks at
    # (`crop_fraction`) is not cut out of them.
    resized_whole: ClassVar[bool] = True
    have_originals: ClassVar[bool] = False

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._held: dict[tuple[Any, ...], HeldArrays] = {}

    def __len__(self) -> int:
        return len(self.images)

    def original(self, index: int, *stream: str | int) -> Tensor:
        """Return one image, float `(C, H, W)` in [0, 1]; no random stream changes it."""
        return self.images[index].float() / 255

    def geometries(self, indices: Tensor) -> list[tuple[str, Geometry]]:
        """Return the one geometry that all have."""
        channels, height, width = self.images.shape[1:]
        return [("an array", ((height, width), channels))]

    def channels(self, indices: Tensor) -> list[int]:
        """Return the channels of each image before it is converted."""
        return [self.images.shape[1]] * len(indices)

    def held(self, indices: Tensor, fit: ImageFit, keep: bool) -> HeldArrays:
        """Return the images in grey or RGB, reduced to the network's input if that is smaller."""
        key = (fit.size, fit.channels, fit.interpolation)
        if key not in self._held:
            # Those of another network are made again if they are asked for again.
            self._held = {key: HeldArrays(reduced(self.images, fit))}
        return self._held[key]

    def fingerprint(self, digest: Any, indices: Tensor, fit: ImageFit, targets: Targets) -> None:
        """Take in the bytes of the images, and their targets."""
        images = self.held(indices, fit, True).images
        digest.update(f"{(len(indices), *images.shape[1:])}{fit.size}".encode())
        for some in indices.split(CHUNK):
            digest.update(images[some].numpy().data)
        digest.update(targets.content(indices))


def reduced(images: Tensor, fit: ImageFit) -> Tensor:
    """Return uint8 images `(N, C, h, w)` in grey or RGB, resized whole if that makes them smaller."""
    smaller = fit.size[0] * fit.size[1] < images.shape[2] * images.shape[3]
    if not smaller and images.shape[1] <= fit.channels:
        return convert_channels(images, fit.channels)
    parts = []
    for part in images.split(CHUNK):
        part = convert_channels(part, fit.channels)
        if smaller:
            part = resize(part.float().div(255), fit.size, fit.interpolation).mul(255).round().to(torch.uint8)
        parts.append(part)
    return torch.cat(parts)


def labelled(images: Tensor, labels: Tensor) -> Listing:
    """Return arrays as examples: images uint8 `(N, C, H, W)` and class numbers int64 `(N,)`."""
    return Listing.whole(ImageArrays(images), ClassNumbers(labels))


def uint8_images(values: np.ndarray, where: str) -> Tensor:
    """Return uint8 images `(N, C, H, W)` from `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`.

    Floats in [0, 1] are rounded to 256 levels.

    Raises:
        UserError: the array is empty, has another shape, or values outside [0, 1].
    """
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[-1] in (1, 3):
        values = values.transpose(0, 3, 1, 2)
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        raise UserError(
            f"{where}: has shape {values.shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3"
        )
    if not len(values):
        raise UserError(f"{where}: contains no images")
    if reason := complaint(values):
        raise UserError(f"{where}: {reason}")
    if values.dtype != np.uint8:
        values = np.rint(values * 255).astype(np.uint8)
    return torch.from_numpy(np.array(values, order="C"))


def int64_labels(values: np.ndarray, count: int, where: str) -> Tensor:
    """Return int64 labels `(N,)`.

    Raises:
        UserError: they are not one integer, 0 or more, for each image.
    """
    if values.dtype.kind not in "iu" or values.size != count or values.min() < 0:
        raise UserError(
            f"{where}: contains {values.dtype} of shape {values.shape}; give a class number, 0 or more, for "
            f"each of {count} images"
        )
    return torch.from_numpy(values.reshape(-1).astype(np.int64))


def complaint(values: np.ndarray) -> str | None:
    """Return what is wrong with the values of images and what would be right; None if nothing is.

    Args:
        values: of any dtype, at least one.
    """
    kind = values.dtype
    if kind == np.uint8:
        return None
    if kind.kind not in "biuf":
        return f"contains {kind}; give uint8, or floats in [0, 1]"
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        return "contains NaN or infinite values; give uint8, or floats in [0, 1]"
    if kind.kind == "f" and low >= 0 and high <= 1:
        return None
    said = f"contains {kind} from {low:.5g} to {high:.5g}"
    if kind.kind != "f":
        return f"{said}; give uint8, or floats in [0, 1] (16 bits: divide by 65535)"
    if low < 0:
        return f"{said}; give floats in [0, 1]: normalisation lives inside the network, so remove Normalize"
    return f"{said}; give floats in [0, 1] (8 bits: divide by 255), or uint8"
