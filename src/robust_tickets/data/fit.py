"""From an image of any size and mode to the network's input."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

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
class Fit:
    """The network's input geometry, applied to single images.

    Attributes:
        size: height and width, in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: the filter used for resizing.
        crop_fraction: part of the resized image's side that the centre crop keeps, in (0, 1]; the usual
            ImageNet evaluation is 224/256 = 0.875.
    """

    size: tuple[int, int]
    channels: int
    interpolation: Interpolation = "bilinear"
    crop_fraction: float = 1.0

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the uint8 image `(C, H, W)` as evaluated: resized to cover size / crop_fraction, centre cut.

        The centre region is resampled directly, which is the same as resizing all of it and cutting.
        """
        width, height = image.size
        scale = max(self.size[0] / height, self.size[1] / width) / self.crop_fraction
        cut_height, cut_width = min(height, self.size[0] / scale), min(width, self.size[1] / scale)
        left, top = (width - cut_width) / 2, (height - cut_height) / 2
        return self.region(image, (left, top, left + cut_width, top + cut_height))

    def floats(self, image: Image.Image | Tensor) -> Tensor:
        """Return the float image `(C, H, W)` in [0, 1] as evaluated, from a PIL image or such a float image.

        A tensor comes out of the user's own transforms, so none of it is cut beyond what its shape needs.
        """
        if isinstance(image, Image.Image):
            return self(image).float() / 255
        return resize(convert_channels(image, self.channels)[None], self.size, self.interpolation)[0]

    def region(self, image: Image.Image, box: tuple[float, float, float, float]) -> Tensor:
        """Return the uint8 image `(C, H, W)` of one region (left, top, right, bottom), resampled to size."""
        image = image.convert("L" if self.channels == 1 else "RGB")
        height, width = self.size
        whole = (0, 0, *image.size)
        if image.size != (width, height) or tuple(box) != whole:
            image = image.resize((width, height), PIL_FILTERS[self.interpolation], box=box)
        flat = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return flat.reshape(height, width, self.channels).permute(2, 0, 1).contiguous()
