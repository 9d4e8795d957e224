"""Random scale, crop and flip, of images alone or together with their label images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.lazy import F, torch
from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class ScaleCrop(Settings):
    """Scale the image, cut or pad it at random to its old size, flip half of them (Chen et al., 2017): for scenes.

    Images are sampled bilinearly and label images by their nearest pixel, at the same places. What lies beyond
    the border is black, and void in label images.
    """

    kind: Literal["scale-crop"] = "scale-crop"
    scale: tuple[float, float] = Field(
        default=(0.5, 2.0), description="Smallest and largest multiple of the image's size, positive."
    )
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    uniforms: ClassVar[int] = 4

    @model_validator(mode="after")
    def _ordered(self) -> ScaleCrop:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale is {self.scale}; give two positive multiples, the smaller first")
        return self

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return float images `(N, C, H, W)`, each scaled, shifted and flipped by its row of `draws` `(N, 4)`."""
        return F.grid_sample(images, self.grid(draws, size), mode="bilinear", align_corners=False).clamp(0, 1)

    def apply_pairs(
        self, images: Tensor, labels: Tensor, draws: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Return images as `apply` does, and their class numbers, int64 `(N, H, W)`, moved alike."""
        from robust_tickets.data.label_values import IGNORED

        # Beyond the border the sampler gives 0, which is why classes are counted from 1 here.
        numbers = torch.where(labels == IGNORED, 0, labels + 1).float()[:, None]
        moved = F.grid_sample(numbers, self.grid(draws, size), mode="nearest", align_corners=False)[:, 0].long() - 1
        return self.apply(images, draws, size), torch.where(moved < 0, IGNORED, moved)

    def grid(self, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return where each output pixel comes from, `(N, H, W, 2)` in [-1, 1] inside the image."""
        low, high = self.scale
        scale = low + draws[:, 0] * (high - low)
        room = (1 - 1 / scale).abs()
        matrices = torch.zeros(len(draws), 2, 3)
        matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / scale
        matrices[:, 0, 2], matrices[:, 1, 2] = (2 * draws[:, 1] - 1) * room, (2 * draws[:, 2] - 1) * room
        if self.flip:
            matrices[:, 0, 0] = torch.where(draws[:, 3] < 0.5, -matrices[:, 0, 0], matrices[:, 0, 0])
        return F.affine_grid(matrices, [len(draws), 1, *size], align_corners=False)
