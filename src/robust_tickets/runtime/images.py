"""From image files, PIL images and arrays to a network's input: read, resized, cut, float32 in [0, 1].

What `data/fit.py` does to the images of evaluation, without torch: bit for bit the same for files and PIL images.
"""

import importlib
import json
import os
import struct
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import ImageError, RuntimeFileError

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
CHANNELS = {"L": 1, "RGB": 3}
DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
GIVEN = ("interpolation", "crop_fraction")
"""What of a preparation does not follow from the network's input."""
SLACK = 0.5
"""How far floats may leave [0, 1]: enough for what bicubic filters overshoot, too little for images in 0..255 or
[-1, 1], or for normalised ones."""


@dataclass(frozen=True)
class ImagePreparation:
    """How images become a network's input; normalisation is inside the network.

    Attributes:
        size: height and width of the input, in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: the filter used for resizing: nearest, bilinear, bicubic or lanczos.
        crop_fraction: part of the resized image's side that the centre crop keeps, in (0, 1].
    """

    size: tuple[int, int]
    channels: int
    interpolation: str
    crop_fraction: float

    def __post_init__(self) -> None:
        """Refuse what is not a preparation.

        Raises:
            ValueError: says which value is wrong.
        """
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation is {self.interpolation!r}; it should be one of {', '.join(INTERPOLATIONS)}"
            )
        fraction = self.crop_fraction
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
            raise ValueError(f"crop_fraction is {fraction!r}; it should be in (0, 1]")

    def __call__(self, images: Any) -> NDArray[np.float32]:
        """Return float32 [N, C, H, W] in [0, 1], ready for the network.

        Args:
            images: a path; a PIL image; a uint8 array, [H, W], [H, W, C], [C, H, W], [N, H, W, C] or [N, C, H, W]
                with 1 or 3 channels; or a list of these, of any sizes. Floats in [0, 1] are taken as they are: they
                have to be [N, C, H, W] of the network's own size. Arrays are numpy's or torch's.

        Raises:
            ImageError: a file cannot be read, an image has more than 8 bits per channel, or an array's shape has more
                than one meaning or none.
            TypeError: not images.
            ImportError: Pillow is not installed, and something has to be read or resized.
        """
        images = as_array(images)
        if is_float(images):
            return checked_floats(images, (self.channels, *self.size))
        if isinstance(images, list | tuple):
            return self._stacked([self._single(image) for image in images])
        if isinstance(images, np.ndarray) and images.ndim == 4:
            return self._stacked([self._pixels(image) for image in channels_last(images)])
        return self._stacked([self._single(images)])

    def _stacked(self, images: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(images) if images else np.empty((0, self.channels, *self.size), np.float32)

    def _single(self, image: Any) -> NDArray[np.float32]:
        """Return one image, float32 [C, H, W] in [0, 1]."""
        if isinstance(image, str | os.PathLike):
            return self._fitted(open_image(image))
        image = as_array(image)
        if is_float(image):
            return checked_floats(image[None], (self.channels, *self.size))[0]
        if isinstance(image, np.ndarray):
            if image.ndim == 3 and image.shape[0] == 3 and self.channels == 1 and image.shape[2] not in (1, 3):
                raise ImageError(
                    f"the images have shape {list(image.shape)}: is that one colour image or 3 grey ones? Give [1, 3, "
                    "H, W] or [3, 1, H, W]"
                )
            return self._pixels(channels_last(image))
        pil = sys.modules.get("PIL.Image")
        if pil is None or not isinstance(image, pil.Image):
            raise TypeError(
                f"the images are {type(image).__name__}; they should be paths, PIL images, uint8 arrays, or floats "
                f"[N, {self.channels}, {self.size[0]}, {self.size[1]}] in [0, 1]"
            )
        return self._fitted(upright(image, "the image"))

    def _pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return one image from uint8 [H, W, C]."""
        channels = pixels.shape[2]
        if pixels.shape == (*self.size, self.channels) and self.crop_fraction == 1:
            return _floats(pixels)
        pixels = np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)
        return self._fitted(pillow("Image").fromarray(pixels))

    def _fitted(self, image: Any) -> NDArray[np.float32]:
        """Return a PIL image resized to cover size / crop_fraction, its centre cut; see `data/fit.py`."""
        image = image.convert(next(mode for mode, channels in CHANNELS.items() if channels == self.channels))
        width, height = image.size
        scale = max(self.size[0] / height, self.size[1] / width) / self.crop_fraction
        cut_height, cut_width = min(height, self.size[0] / scale), min(width, self.size[1] / scale)
        left, top = (width - cut_width) / 2, (height - cut_height) / 2
        box = (left, top, left + cut_width, top + cut_height)
        if (height, width) != self.size or box != (0, 0, width, height):
            resampling = pillow("Image").Resampling[self.interpolation.upper()]
            image = image.resize((self.size[1], self.size[0]), resampling, box=box)
        return _floats(np.asarray(image).reshape(*self.size, self.channels))


def stated_preparation(
    metadata: Mapping[str, Any], input_shape: tuple[int, ...], given: Mapping[str, Any] | None = None
) -> ImagePreparation | None:
    """Return how a file says images become its input, or None if it does not say.

    Args:
        metadata: the file's own, each value as JSON; see `shrinking/export.py`.
        input_shape: [C, H, W] of the network.
        given: `interpolation` and `crop_fraction`, which take precedence.

    Raises:
        RuntimeFileError: what the file says is none, or not of this network.
        ValueError: what is given is none.
    """
    given = dict(given or {})
    if foreign := [name for name in given if name not in GIVEN]:
        raise ValueError(f"preprocessing: {foreign[0]} cannot be given; {' and '.join(GIVEN)} can")
    try:
        said = {name: json.loads(metadata[name]) for name in (*GIVEN, "size") if name in metadata}
    except (TypeError, ValueError):
        raise RuntimeFileError("its preprocessing is not JSON; write it again") from None
    size = said.pop("size", None)
    if size is not None and list(input_shape[1:]) != size:
        raise RuntimeFileError(f"states image size {size}, but takes {list(input_shape)}; write it again")
    values = {**said, **given}
    if len(input_shape) != 3 or input_shape[0] not in CHANNELS.values() or not values.keys() >= set(GIVEN):
        return None
    try:
        return ImagePreparation((input_shape[1], input_shape[2]), input_shape[0], **values)
    except ValueError as error:
        if given:
            raise ValueError(f"preprocessing: {error}") from None
        raise RuntimeFileError(f"its preprocessing is wrong ({error}); write it again") from None


def stated_classes(metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of the classes in the order of the logits, or None if a file does not say.

    Raises:
        RuntimeFileError: what it says is not a list of names.
    """
    if "classes" not in metadata:
        return None
    try:
        names = json.loads(metadata["classes"])
    except (TypeError, ValueError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RuntimeFileError("the names of its classes are not a list of strings; write it again")
    return tuple(names)


def as_array(images: Any) -> Any:
    """Return a torch tensor as a numpy array, and anything else as it is."""
    # Whoever gives a tensor has imported torch; the runtime itself does without it.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(images, torch.Tensor):
        return images
    images = images.detach()
    return (images.float() if images.is_floating_point() else images).cpu().numpy()


def like(given: Any, logits: NDArray[np.float32]) -> Any:
    """Return logits as a tensor on the device of what was given, where that is a tensor."""
    torch = sys.modules.get("torch")
    return torch.from_numpy(logits).to(given.device) if torch and isinstance(given, torch.Tensor) else logits


def is_float(images: Any) -> bool:
    """Return whether these are arrays of floating-point numbers."""
    return isinstance(images, np.ndarray) and np.issubdtype(images.dtype, np.floating)


def checked_floats(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return floats as float32 [N, *shape], contiguous.

    Raises:
        ImageError: another shape, or values that leave [0, 1] by more than `SLACK`; NaN and infinities pass.
    """
    numbers = as_float32(images, shape)
    if not numbers.size:
        return numbers
    low, high = numbers.min(), numbers.max()
    if not (low >= -SLACK and high <= 1 + SLACK):
        finite = numbers[np.isfinite(numbers)]
        low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
        if low < -SLACK or high > 1 + SLACK:
            likely = "divide them by 255, or give them as uint8" if low >= 0 else "leave normalisation to the network"
            raise ImageError(
                f"the images contain floats from {low:.4g} to {high:.4g}, but they should be in [0, 1]: {likely}"
            )
    return numbers


def as_float32(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return floats as float32 [N, *shape], contiguous, whatever their values.

    Raises:
        ImageError: another shape.
    """
    if images.shape[1:] != shape or images.ndim == 0:
        wanted = f"[N, {', '.join(map(str, shape))}] of floating-point numbers in [0, 1]"
        raise ImageError(f"the images have shape {list(images.shape)}; it should be {wanted}")
    with np.errstate(over="ignore"):  # float32 has an infinity for it
        return np.ascontiguousarray(images, np.float32)


def channels_last(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return uint8 images [..., H, W, C] from those with channels last, first, or none.

    Raises:
        ImageError: not uint8, or the channels can be the first dimension as well as the last, or neither.
    """
    if pixels.dtype != np.uint8:
        raise ImageError(f"the images are {pixels.dtype}; they should be uint8 in 0..255, or floats in [0, 1]")
    if pixels.ndim == 2:
        return pixels[..., None]
    shape = f"the images have shape {list(pixels.shape)}"
    if pixels.ndim not in (3, 4) or 0 in pixels.shape[-3:]:
        raise ImageError(f"{shape}; it should be [N, H, W, C], [N, C, H, W] or one image")
    first, last = pixels.shape[-3] in CHANNELS.values(), pixels.shape[-1] in CHANNELS.values()
    if first and last:
        raise ImageError(f"{shape}: channels could come first or last; give PIL images")
    if not first and not last:
        raise ImageError(f"{shape}: neither the first nor the last dimension of an image is 1 or 3 channels")
    return np.moveaxis(pixels, -3, -1) if first else pixels


def open_image(path: str | os.PathLike[str]) -> Any:
    """Return a PIL image, decoded and turned upright as its EXIF orientation says.

    Raises:
        ImageError: it is missing, damaged, no image, or has more than 8 bits per channel.
        ImportError: Pillow is not installed.
    """
    pil = pillow("Image")
    # What PIL's decoders raise on damaged files.
    damaged = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, pil.DecompressionBombError)
    try:
        with pil.open(path) as image:
            image.load()
            return upright(image, str(path))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder; give the image files in it") from None
    except damaged as error:
        reason = "its image format is not recognised" if isinstance(error, pillow("UnidentifiedImageError")) else error
        raise ImageError(f"{path}: unreadable image ({reason}); replace or remove it") from None


def upright(image: Any, name: str) -> Any:
    """Return a PIL image turned as its EXIF orientation says.

    Raises:
        ImageError: it has more than 8 bits per channel.
    """
    if image.mode in DEEP_MODES:
        raise ImageError(f"{name}: has more than 8 bits per channel (mode {image.mode}); convert it to 8")
    return pillow("ImageOps").exif_transpose(image)


def pillow(name: str) -> Any:
    """Return something of Pillow's, which is imported only when an image has to be read or resized.

    Raises:
        ImportError: it is not installed.
    """
    try:
        package = importlib.import_module("PIL")
        return getattr(package, name, None) or importlib.import_module(f"PIL.{name}")
    except ImportError as error:
        raise ImportError(
            f"reading and resizing images needs Pillow ({error}): pip install pillow; floats [N, C, H, W] in [0, 1] "
            "need nothing"
        ) from None


def _floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return float32 [C, H, W] in [0, 1] from uint8 [H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)).astype(np.float32) / np.float32(255)
