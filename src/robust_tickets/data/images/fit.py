"""From an image of any size and mode to the network's input."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from robust_tickets.data.fitting import Interpolation

PIL_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# torch has no Lanczos filter; on tensors its nearest relative stands in.
TORCH_MODES = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "bicubic"}
LUMA = (0.299, 0.587, 0.114)
"""ITU-R 601 weights of red, green and blue, as PIL uses them."""


def convert_channels(images: Tensor, channels: int) -> Tensor:
    """Return `(..., channels, H, W)` from grey or RGB images of the same dtype: grey is repeated, RGB
    becomes ITU-R 601 luma."""
    present = images.shape[-3]
    if present == channels:
        return images
    if present == 1:
        return images.expand(*images.shape[:-3], channels, *images.shape[-2:])
    weights = torch.tensor(LUMA).reshape(3, 1, 1)
    luma = (images.float() * weights).sum(-3, keepdim=True)
    return luma.round().to(images.dtype) if images.dtype == torch.uint8 else luma.to(images.dtype)


def resize(images: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """Return float images `(N, C, H, W)` in [0, 1] resized to cover `size` and cut to it around the centre.

    Downsizing is antialiased. Bicubic overshoot is clamped, so that values stay in [0, 1].
    """
    height, width = images.shape[-2:]
    if (height, width) == size:
        return images
    scale = max(size[0] / height, size[1] / width)
    covering = (max(size[0], round(height * scale)), max(size[1], round(width * scale)))
    mode = TORCH_MODES[interpolation]
    if mode == "nearest":
        images = F.interpolate(images, covering, mode=mode)
    else:
        images = F.interpolate(images, covering, mode=mode, align_corners=False, antialias=scale < 1)
    top, left = (covering[0] - size[0]) // 2, (covering[1] - size[1]) // 2
    return images[..., top : top + size[0], left : left + size[1]].clamp(0, 1)


@dataclass(frozen=True)
class ImageFit(ABC):
    """The network's input geometry, applied to single images.

    Attributes:
        size: height and width, in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: the filter used for resizing.
    """

    size: tuple[int, int]
    channels: int
    interpolation: Interpolation = "bilinear"

    @property
    def facts(self) -> tuple[object, ...]:
        """Channels and size."""
        return self.channels, self.size

    @property
    def words(self) -> str:
        """Size and channels, for readers."""
        return f"{self.size[0]} x {self.size[1]} pixels, {self.channels} channel{'s' * (self.channels > 1)}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a fitted image."""
        return self.channels, *self.size

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the uint8 image `(C, H, W)` as evaluated."""
        return self._pixels(self.placed(self._converted(image), PIL_FILTERS[self.interpolation], 0))

    @abstractmethod
    def placed(self, image: Image.Image, resampling: Image.Resampling, around: int) -> Image.Image:
        """Return an image of any mode at `size`, with the value `around` where it does not reach."""

    def floats(self, image: Image.Image | Tensor) -> Tensor:
        """Return the float image `(C, H, W)` in [0, 1] as evaluated, from a PIL image or such a float image.

        A tensor comes out of the user's own transforms, so none of it is cut beyond what its shape needs.
        """
        if isinstance(image, Image.Image):
            return self(image).float() / 255
        return resize(convert_channels(image, self.channels)[None], self.size, self.interpolation)[0]

    def region(self, image: Image.Image, box: tuple[float, float, float, float]) -> Tensor:
        """Return the uint8 image `(C, H, W)` of one region (left, top, right, bottom), resampled to size."""
        return self._pixels(resampled(self._converted(image), self.size, PIL_FILTERS[self.interpolation], box))

    def _converted(self, image: Image.Image) -> Image.Image:
        mode = "L" if self.channels == 1 else "RGB"
        return image if image.mode == mode else image.convert(mode)

    def _pixels(self, image: Image.Image) -> Tensor:
        # One channel after the other: torch would take longer to reorder the pixels than PIL to give them out.
        channels = bytearray().join(image.tobytes("raw", band) for band in image.getbands())
        return torch.frombuffer(channels, dtype=torch.uint8).reshape(self.shape)


@dataclass(frozen=True)
class Fit(ImageFit):
    """All of the input is filled: what sticks out is cut off. For images that are labelled whole.

    Attributes:
        crop_fraction: part of the resized image's side that the centre crop keeps, in (0, 1]; the usual
            ImageNet evaluation is 224/256 = 0.875.
    """

    crop_fraction: float = 1.0

    def placed(self, image: Image.Image, resampling: Image.Resampling, around: int) -> Image.Image:
        """Return the image resized to cover size / crop_fraction, centre cut.

        The centre region is resampled directly, which is the same as resizing all of it and cutting.
        """
        width, height = image.size
        scale = max(self.size[0] / height, self.size[1] / width) / self.crop_fraction
        cut_height, cut_width = min(height, self.size[0] / scale), min(width, self.size[1] / scale)
        left, top = (width - cut_width) / 2, (height - cut_height) / 2
        return resampled(image, self.size, resampling, (left, top, left + cut_width, top + cut_height))


@dataclass(frozen=True)
class Letterbox(ImageFit):
    """All of the image is kept, whatever its shape: what it does not fill is empty. For targets that have places."""

    def placed(self, image: Image.Image, resampling: Image.Resampling, around: int) -> Image.Image:
        """Return the image scaled to fit inside `size`, in the middle."""
        height, width = self.size
        if image.size == (width, height):
            return image
        left, top, inner_height, inner_width = self.placement((image.height, image.width))
        whole = Image.new(image.mode, (width, height), around if image.mode == "L" else (around,) * 3)
        whole.paste(image.resize((inner_width, inner_height), resampling), (left, top))
        return whole

    def placement(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return where an image of (height, width) comes to lie: left, top, and its height and width there, pixels."""
        height, width = self.size
        scale = min(height / size[0], width / size[1])
        inner = (min(height, round(size[0] * scale)), min(width, round(size[1] * scale)))
        return (width - inner[1]) // 2, (height - inner[0]) // 2, *inner


def resampled(
    image: Image.Image, size: tuple[int, int], resampling: Image.Resampling, box: tuple[float, float, float, float]
) -> Image.Image:
    """Return one region (left, top, right, bottom) of an image at a size; all of it at its own size stays as it is."""
    if image.size == (size[1], size[0]) and tuple(box) == (0, 0, *image.size):
        return image
    return image.resize((size[1], size[0]), resampling, box=box)
