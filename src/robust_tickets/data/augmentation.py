"""What training does to an image: one settings type a kind, in a union on `kind`.

Each kind consumes a fixed number of uniform numbers a sample, drawn by the caller from a named stream. So
the same sample is augmented alike on one process or on several, and in a resumed run.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from robust_tickets.data.scale_crop import ScaleCrop
from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.lazy import F, torch
from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from robust_tickets.data.fit import Fit


def warp(images: Tensor, matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample float images `(N, C, H, W)` bilinearly at `matrices` `(N, 2, 3)`, which map output to input
    coordinates in [-1, 1]; beyond the border the border's value continues."""
    grid = F.affine_grid(matrices, [len(images), images.shape[1], *size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)


class NoAugmentation(Settings):
    """The image as evaluation sees it."""

    kind: Literal["none"] = "none"
    uniforms: ClassVar[int] = 0

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the images."""
        return images


class FlipCrop(Settings):
    """Pad, crop at random to the old size, flip half of the images: the usual choice for 32 x 32 images."""

    kind: Literal["flip-crop"] = "flip-crop"
    padding: int = Field(default=4, ge=0, description="Pixels added on each side before cropping.")
    mode: Literal["zeros", "reflect"] = Field(default="zeros", description="What the padding holds.")
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    uniforms: ClassVar[int] = 3

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)`, each shifted and flipped by its row of `draws` `(N, 3)`."""
        height, width = images.shape[-2:]
        shifts = (draws[:, :2] * (2 * self.padding + 1)).long() - self.padding
        rows = torch.arange(height) + shifts[:, :1]
        columns = torch.arange(width) + shifts[:, 1:]
        if self.flip:
            columns = torch.where(draws[:, 2:] < 0.5, columns.flip(1), columns)
        inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None]
        rows, columns = reflected(rows, height), reflected(columns, width)
        images = images.gather(2, rows[:, None, :, None].expand(images.shape))
        images = images.gather(3, columns[:, None, None, :].expand(images.shape))
        return images if self.mode == "reflect" else images * inside


def reflected(index: Tensor, length: int) -> Tensor:
    """Fold indices outside 0..length-1 back, without repeating the border; far ones stop at the other end."""
    last = length - 1
    return (last - (last - index.abs()).abs()).clamp(0, last)


class RandomResizedCrop(Settings):
    """A random region of the image, resized to the input (Szegedy et al. 2015): for photographs.

    A region whose drawn shape does not fit the image is cut to fit, rather than drawn again, so that each
    sample consumes the same count of random numbers.
    """

    kind: Literal["random-resized-crop"] = "random-resized-crop"
    scale: tuple[float, float] = Field(
        default=(0.08, 1.0), description="Area of the region, part of the image, in (0, 1]."
    )
    ratio: tuple[float, float] = Field(default=(3 / 4, 4 / 3), description="Width by height of the region, positive.")
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    uniforms: ClassVar[int] = 5

    @model_validator(mode="after")
    def _ordered(self) -> RandomResizedCrop:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale is {self.scale}; give two areas in (0, 1], the smaller first")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio is {self.ratio}; give two positive ratios, the smaller first")
        return self

    def regions(self, width: int, height: int, draws: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return left, top, width and height in pixels, float `(N,)`, of the regions for `draws` `(N, 5)`."""
        draws = draws.double()
        area = width * height * (self.scale[0] + draws[:, 0] * (self.scale[1] - self.scale[0]))
        low, high = log(self.ratio[0]), log(self.ratio[1])
        ratio = (low + draws[:, 1] * (high - low)).exp()
        across, down = (area * ratio).sqrt().clamp(max=width), (area / ratio).sqrt().clamp(max=height)
        return draws[:, 2] * (width - across), draws[:, 3] * (height - down), across, down

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return one region of each float image `(N, C, H, W)`, sampled to `size`."""
        height, width = images.shape[-2:]
        left, top, across, down = self.regions(width, height, draws)
        matrices = torch.zeros(len(images), 2, 3, dtype=torch.float64)
        matrices[:, 0, 0], matrices[:, 0, 2] = across / width, (2 * left + across) / width - 1
        matrices[:, 1, 1], matrices[:, 1, 2] = down / height, (2 * top + down) / height - 1
        if self.flip:
            matrices[:, 0, 0] = torch.where(draws[:, 4] < 0.5, -matrices[:, 0, 0], matrices[:, 0, 0])
        return warp(images, matrices.float(), size)

    def photograph(self, image: Image.Image, draws: Tensor, fit: Fit) -> Tensor:
        """Return the uint8 region `(C, H, W)` of a photograph, antialiased; `draws` is `(1, 5)`."""
        left, top, across, down = (float(value) for value in self.regions(*image.size, draws))
        box = (left, top, min(left + across, image.width), min(top + down, image.height))
        region = fit.region(image, box)
        return region.flip(-1) if self.flip and draws[0, 4] < 0.5 else region


class Affine(Settings):
    """A small rotation and shift: for digits and letters, which must not be mirrored."""

    kind: Literal["affine"] = "affine"
    degrees: float = Field(default=10.0, ge=0, le=180, description="Largest rotation either way, degrees.")
    shift: float = Field(default=0.1, ge=0, le=1, description="Largest shift either way, part of the side.")
    uniforms: ClassVar[int] = 3

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)`, each rotated and shifted by its row of `draws` `(N, 3)`."""
        height, width = images.shape[-2:]
        angle = torch.deg2rad((2 * draws[:, 0] - 1) * self.degrees)
        shift = (2 * draws[:, 1:] - 1) * 2 * self.shift
        matrices = torch.stack(
            [
                torch.stack([angle.cos(), -angle.sin() * height / width, shift[:, 0]], 1),
                torch.stack([angle.sin() * width / height, angle.cos(), shift[:, 1]], 1),
            ],
            1,
        )
        return warp(images, matrices, (height, width))


Augmentation = Annotated[
    NoAugmentation | FlipCrop | RandomResizedCrop | Affine | ScaleCrop, Field(discriminator="kind"), Shorthand
]
"""What training does to an image."""
