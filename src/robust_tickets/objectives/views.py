"""Several views of one image, from which a network learns without labels; made by lightly's transforms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.settings import Ratio, Settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

Transform = Callable[["Image.Image"], "Tensor"]
"""From an image to one view of it, float [C, H, W] in [0, 1]; draws from the global generators."""

SMALL = 64
"""Side in pixels below which images are not blurred by default: SimCLR leaves CIFAR-10's as they are (section B.9)."""


def in_full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which losses over cosines are computed in fp32, as they are given: bf16 rounds too much."""
    return torch.autocast(device.type, enabled=False)


class Views(Settings, ABC):
    """How an image is cropped and coloured anew for each view; a subclass has its paper's defaults.

    Each view is a random region, resized to the network's input and mirrored or not, then coloured, turned grey and
    blurred, or not, at random (Chen et al., 2020, arXiv 2002.05709, appendix A).
    """

    jitter: ClassVar[tuple[float, float, float, float]]
    """Largest change of brightness, contrast, saturation and hue at `colour: 1`."""

    crop: Ratio = Field(gt=0, le=1, description="Smallest region, as a fraction of the image's area, in (0, 1].")
    colour: float = Field(ge=0, le=1.25, description="Strength of the change of colours; 0: colours stay.")
    grey: float = Field(default=0.2, ge=0, le=1, description="Probability that a view is grey.")
    blur: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Probability that a view is blurred; absent: what the paper has, and 0 for images below 64 pixels.",
    )
    flip: bool = Field(default=True, description="Mirror half of the views left to right.")

    @property
    @abstractmethod
    def count(self) -> int:
        """Return how many views of each image there are."""

    @abstractmethod
    def transforms(self, size: tuple[int, int]) -> Sequence[Transform]:
        """Return what makes each of the views, at a height and width in pixels."""

    def coloured(self) -> dict[str, Any]:
        """Return what lightly's transforms of a view have in common, by their own names."""
        brightness, contrast, saturation, hue = self.jitter
        return {
            "cj_strength": self.colour,
            "cj_bright": brightness,
            "cj_contrast": contrast,
            "cj_sat": saturation,
            "cj_hue": hue,
            "random_gray_scale": self.grey,
            "hf_prob": 0.5 if self.flip else 0.0,
            "normalize": None,
        }

    def blurred(self, size: tuple[int, int], usual: float) -> float:
        """Return the probability of blur for images of a size, where the paper's is `usual`."""
        if self.blur is not None:
            return self.blur
        return usual if min(size) >= SMALL else 0.0


class TwoViews(Views):
    """Two views that are made alike."""

    @property
    def count(self) -> int:
        """Return 2."""
        return 2

    def transforms(self, size: tuple[int, int]) -> Sequence[Transform]:
        """Return the same transform twice."""
        from lightly.transforms.simclr_transform import SimCLRViewTransform

        blur = self.blurred(size, 0.5)
        one: Any = SimCLRViewTransform(
            input_size=size,  # pyright: ignore[reportArgumentType] - torchvision takes height and width
            min_scale=self.crop,
            gaussian_blur=blur,
            **self.coloured(),
        )
        return (one, one)


class SimCLRViews(TwoViews):
    """SimCLR's: strong colours, small regions."""

    jitter = (0.8, 0.8, 0.8, 0.2)
    crop: Ratio = Field(
        default=0.08, gt=0, le=1, description="Smallest region, as a fraction of the image's area, in (0, 1]."
    )
    colour: float = Field(
        default=0.5, ge=0, le=1.25, description="Strength of the change of colours, the paper's s; 0: colours stay."
    )


class MoCoViews(TwoViews):
    """MoCo v2's (Chen et al., 2020, arXiv 2003.04297): weaker colours, larger regions."""

    jitter = (0.4, 0.4, 0.4, 0.1)
    crop: Ratio = Field(
        default=0.2, gt=0, le=1, description="Smallest region, as a fraction of the image's area, in (0, 1]."
    )
    colour: float = Field(default=1.0, ge=0, le=1.25, description="Strength of the change of colours; 0: colours stay.")


class DINOViews(Views):
    """DINO's (Caron et al., 2021, arXiv 2104.14294): two large views, which the teacher sees too, and small ones.

    Small views have the network's input size like the large ones, so that any network takes them.
    """

    jitter = (0.8, 0.8, 0.4, 0.2)
    crop: Ratio = Field(
        default=0.4,
        gt=0,
        le=1,
        description="Smallest region of the two large views, as a fraction of the image's area.",
    )
    small: int = Field(default=2, ge=0, le=16, description="Number of small views; the paper has 6 to 10.")
    small_crop: Ratio = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Smallest region of the small views; their largest is the smallest of the large ones.",
    )
    colour: float = Field(default=0.5, ge=0, le=1.25, description="Strength of the change of colours; 0: colours stay.")
    solarise: float = Field(default=0.2, ge=0, le=1, description="Probability that the second view is solarised.")

    @property
    def count(self) -> int:
        """Return two and the small ones."""
        return 2 + self.small

    def transforms(self, size: tuple[int, int]) -> Sequence[Transform]:
        """Return those of the two large views, which differ in blur and solarisation, and of the small ones."""
        from lightly.transforms.dino_transform import DINOViewTransform

        # Not lightly's DINOTransform, whose second view takes no notice of the strength of colours.
        def view(scale: tuple[float, float], blur: float, solarise: float) -> Any:
            return DINOViewTransform(
                crop_size=size,  # pyright: ignore[reportArgumentType] - torchvision takes height and width
                crop_scale=scale,
                gaussian_blur=self.blurred(size, blur),
                solarization_prob=solarise,
                **self.coloured(),
            )

        large, small = (self.crop, 1.0), (min(self.small_crop, self.crop), self.crop)
        return (view(large, 1.0, 0.0), view(large, 0.1, self.solarise), *[view(small, 0.5, 0.0)] * self.small)
