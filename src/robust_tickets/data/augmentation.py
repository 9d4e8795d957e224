"""What training does to an image: one settings type per kind, in a union on `kind`.

Each kind consumes a fixed number of uniform numbers per sample, drawn by the caller from a named stream. So
the same sample is augmented in the same way on one process or on several, and in a resumed run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.lazy import F, torch
from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from robust_tickets.data.images.fit import ImageFit


def warp(images: Tensor, matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample float images `(N, C, H, W)` bilinearly at `matrices` `(N, 2, 3)`, which map output to input
    coordinates in [-1, 1]; beyond the border the border's value continues."""
    grid = F.affine_grid(matrices, [len(images), images.shape[1], *size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)


STILL = "targets that stay the same wherever the image moves"
"""What an augmentation needs that moves images and cannot tell where to."""


class Augmenting(Settings, ABC):
    """What training does to an image, and to its target if that has places in the image."""

    uniforms: ClassVar[int]
    """Random numbers that each image takes."""

    needs: ClassVar[frozenset[str]] = frozenset({STILL})
    """What it needs of targets; a kind of targets says what it provides."""

    cuts_originals: ClassVar[bool] = False
    """Whether it gains from images at a higher resolution than the network's."""

    takes_long: ClassVar[bool] = False
    """Whether it takes so long that other processes should do it, even of images that are in memory."""

    @abstractmethod
    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)` in [0, 1], each changed by its row of `draws`, uniform in [0, 1).

        Args:
            images: float `(N, C, h, w)` in [0, 1].
            draws: float `(N, uniforms)`.
            size: height and width of the network's input; some kinds keep the images' own.
        """

    def of_original(self, image: Image.Image | Tensor, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the image `(C, H, W)` that is made of an original; `draws` is `(1, uniforms)`.

        It is uint8 if that carries the same information as a float in [0, 1].
        """
        return self.apply(fit.floats(image)[None], draws, fit.size)[0]

    def matrices(self, draws: Tensor) -> Tensor | None:
        """Return what maps places in the output to places in the input; None if nothing moves.

        It is float `(N, 2, 3)`, as `torch.nn.functional.affine_grid` takes it: places are (x, y, 1), x and y in
        [-1, 1] inside the image. Only augmentations that do not need still targets are asked.
        """
        return None


class NoAugmentation(Augmenting):
    """The image as in evaluation."""

    kind: Literal["none"] = "none"
    uniforms: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset()

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the images."""
        return images

    def of_original(self, image: Image.Image | Tensor, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the image as in evaluation."""
        return fit.floats(image) if torch.is_tensor(image) else fit(image)


class FlipCrop(Augmenting):
    """Pad, crop at random to the old size, flip half of the images: the usual choice for 32 x 32 images."""

    kind: Literal["flip-crop"] = "flip-crop"
    padding: int = Field(default=4, ge=0, description="Pixels added on each side before cropping.")
    mode: Literal["zeros", "reflect"] = Field(default="zeros", description="What fills the padding.")
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

    def of_original(self, image: Image.Image | Tensor, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the image shifted and flipped, as `apply` does it with many at once."""
        if torch.is_tensor(image) or self.mode == "reflect":
            return super().of_original(image, draws, fit)
        whole = fit(image)
        shifted, (height, width) = torch.zeros_like(whole), fit.size
        down, right = ((draws[0, :2] * (2 * self.padding + 1)).long() - self.padding).tolist()
        (to_rows, rows), (to_columns, columns) = overlap(down, height), overlap(right, width)
        shifted[:, to_rows, to_columns] = whole[:, rows, columns]
        return shifted.flip(-1) if self.flip and draws[0, 2] < 0.5 else shifted


def overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Return where a line lies that is shifted, and what remains of it: nothing if it is shifted out of sight."""
    left = max(0, length - abs(shift))
    return slice(max(0, -shift), max(0, -shift) + left), slice(max(0, shift), max(0, shift) + left)


def reflected(index: Tensor, length: int) -> Tensor:
    """Fold indices outside 0..length-1 back, without repeating the border; far ones stop at the other end."""
    last = length - 1
    return (last - (last - index.abs()).abs()).clamp(0, last)


class RandomResizedCrop(Augmenting):
    """A random region of the image, resized to the input (Szegedy et al. 2015): for photographs.

    A region whose drawn shape does not fit the image is cut to fit, rather than drawn again, so that each
    sample consumes the same count of random numbers.
    """

    kind: Literal["random-resized-crop"] = "random-resized-crop"
    scale: tuple[float, float] = Field(
        default=(0.08, 1.0), description="Area of the region, as a fraction of the image, in (0, 1]."
    )
    ratio: tuple[float, float] = Field(
        default=(3 / 4, 4 / 3), description="Width divided by height of the region, positive."
    )
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    uniforms: ClassVar[int] = 5
    cuts_originals: ClassVar[bool] = True

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

    def of_original(self, image: Image.Image | Tensor, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the region of an original; a photograph is resampled from its own resolution."""
        if torch.is_tensor(image):
            return super().of_original(image, draws, fit)
        return self.photograph(image, draws, fit)

    def photograph(self, image: Image.Image, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the uint8 region `(C, H, W)` of a photograph, antialiased; `draws` is `(1, 5)`."""
        left, top, across, down = (float(value) for value in self.regions(*image.size, draws))
        box = (left, top, min(left + across, image.width), min(top + down, image.height))
        region = fit.region(image, box)
        return region.flip(-1) if self.flip and draws[0, 4] < 0.5 else region


class Affine(Augmenting):
    """A small rotation and shift: for digits and letters, which must not be mirrored."""

    kind: Literal["affine"] = "affine"
    degrees: float = Field(default=10.0, ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    shift: float = Field(
        default=0.1, ge=0, le=1, description="Largest shift in either direction, as a fraction of the side."
    )
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


class Scaling(Augmenting):
    """Scale the image, crop or pad it at random to its old size, flip half of them (Chen et al., 2017).

    Images are sampled bilinearly, and what lies beyond the border is black. Targets that have places move alike:
    label images are sampled by their nearest pixel at the same places, and void beyond the border.
    """

    scale: tuple[float, float] = Field(
        default=(0.5, 2.0), description="Smallest and largest multiple of the image's size, positive."
    )
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    uniforms: ClassVar[int] = 4
    needs: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale is {self.scale}; give two positive multiples, the smaller first")
        return self

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)`, each scaled, shifted and flipped by its row of `draws` `(N, 4)`."""
        grid = F.affine_grid(self.matrices(draws), [len(draws), 1, *size], align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", align_corners=False).clamp(0, 1)

    def matrices(self, draws: Tensor) -> Tensor:
        """Return where what is seen comes from; see `Augmenting.matrices`."""
        low, high = self.scale
        scale = low + draws[:, 0] * (high - low)
        room = (1 - 1 / scale).abs()
        matrices = torch.zeros(len(draws), 2, 3)
        matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / scale
        matrices[:, 0, 2], matrices[:, 1, 2] = (2 * draws[:, 1] - 1) * room, (2 * draws[:, 2] - 1) * room
        if self.flip:
            matrices[:, 0, 0] = torch.where(draws[:, 3] < 0.5, -matrices[:, 0, 0], matrices[:, 0, 0])
        return matrices


class ScaleCrop(Scaling):
    """Scale the image, crop or pad it at random to its old size, flip half of them (Chen et al., 2017): for scenes."""

    kind: Literal["scale-crop"] = "scale-crop"


class ScaleCropColour(Scaling):
    """`scale-crop`, then change brightness, contrast and saturation at random: for scenes in any light."""

    kind: Literal["scale-crop-colour"] = "scale-crop-colour"
    colour: float = Field(
        default=0.2, ge=0, lt=1, description="Largest change of brightness, contrast and saturation either way."
    )
    uniforms: ClassVar[int] = 7

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)`, moved by `draws[:, :4]` and coloured by `draws[:, 4:]`."""
        # Imported late: it takes a second.
        from torchvision.transforms.v2 import functional as colours

        changed = []
        for image, factors in zip(
            super().apply(images, draws, size), 1 + self.colour * (2 * draws[:, 4:] - 1), strict=True
        ):
            brightness, contrast, saturation = factors.tolist()
            image = colours.adjust_contrast(colours.adjust_brightness(image, brightness), contrast)
            changed.append(colours.adjust_saturation(image, saturation))
        return torch.stack(changed)


Augmentation = Annotated[
    NoAugmentation | FlipCrop | RandomResizedCrop | Affine | ScaleCrop | ScaleCropColour,
    Field(discriminator="kind"),
    Shorthand,
]
"""What training does to an image."""

AUGMENTATIONS: dict[str, frozenset[str]] = {
    kind.model_fields["kind"].default: kind.needs
    for kind in (ScaleCrop, ScaleCropColour, RandomResizedCrop, FlipCrop, Affine, NoAugmentation)
}
"""What each kind needs of targets, those that do most first."""
