"""The fixed noise that a generator turns into one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LatentNoise:
    """What goes into a generator: the same uniform noise at every step (Ulyanov et al., 2018, Deep Image Prior).

    Attributes:
        depth: channels of the noise.
        channels: channels of the picture that comes out.
        reduction: pixels of the picture to a side of one place of the noise.
        scale: noise lies in [0, scale].
        least: smallest side of a picture that the generator can make, pixels.
        seed: of the noise.
    """

    depth: int
    channels: int
    reduction: int
    scale: float
    least: int
    seed: int

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return depth, height and width of the noise for a picture of (height, width)."""
        return self.depth, size[0] // self.reduction, size[1] // self.reduction

    def drawn(self, size: tuple[int, int]) -> Tensor:
        """Return the noise for a picture of (height, width), float32 `(depth, h, w)` in [0, scale]."""
        return torch.rand(self.shape(size), generator=generator(self.seed, "latent")).mul_(self.scale)

    def complaint(self, size: tuple[int, int]) -> str | None:
        """Return what is wrong with a picture of (height, width), and what would be right; None if nothing is."""
        height, width = size
        if min(size) < self.least:
            return (
                f"is {width} x {height} pixels, but the generator's levels need {self.least} to a side; use a larger "
                "picture (data.size), or a generator with fewer levels"
            )
        if height % self.reduction or width % self.reduction:
            fits = [side - side % self.reduction for side in size]
            return (
                f"is {width} x {height} pixels, but the generator makes pictures whose sides are multiples of "
                f"{self.reduction}; set data.size: {fits}"
            )
        return None
