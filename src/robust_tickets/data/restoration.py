"""How a picture is degraded, or was: what a generator has to undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from robust_tickets.foundation.lazy import F, torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Ratio, Settings

if TYPE_CHECKING:
    from torch import Tensor


class Restoration(Settings):
    """What is wrong with a picture. What is stated is done to the picture given, which then judges what is restored.

    A picture that is degraded already is taken as it is (`degraded: true`, or a `reference`): then `lost` and `factor`
    say what was done to it, and only a reference can judge. Steps come in this order: the picture is made smaller,
    noise is added, pixels are lost.
    """

    noise: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Standard deviation of Gaussian noise that is added, for values in [0, 1], to which the sum is "
        "clipped; each seed of a run has its own.",
    )
    lost: Ratio | str = Field(
        default=0.0,
        description="Share of the pixels that are lost, in [0, 1), or an image file of the picture's size whose white "
        "pixels are: they are painted in.",
    )
    factor: int = Field(
        default=1, ge=1, le=16, description="By how much the picture is made smaller, by averaging; it is enlarged."
    )
    degraded: bool = Field(default=False, description="Whether the picture is degraded already; nothing is added.")
    reference: str | None = Field(
        default=None, min_length=1, description="An image file of what the degraded picture should be."
    )

    @model_validator(mode="after")
    def _adds_nothing(self) -> Restoration:
        if not isinstance(self.lost, str) and not 0 <= self.lost < 1:
            raise ValueError(f"lost is a share in [0, 1), or an image file; not {self.lost:g}")
        if self.lost == "":
            raise ValueError("lost is a share in [0, 1), or an image file; leave it out if nothing is lost")
        if self.is_degraded and not isinstance(self.lost, str) and self.lost:
            raise ValueError("a share of lost pixels does not say which; of a degraded picture lost is an image file")
        if self.noise and self.is_degraded:
            raise ValueError("noise is added to a picture that is not degraded yet; leave it out")
        return self

    @property
    def is_degraded(self) -> bool:
        """Whether the picture is degraded already."""
        return self.degraded or self.reference is not None

    @property
    def is_judged(self) -> bool:
        """Whether it is known what the picture should be."""
        return self.reference is not None or not self.is_degraded

    def describe(self) -> str:
        """Return the problem in a few words: `noise 0.1`, `30 % of the pixels lost`."""
        said = [
            *([f"reduced by {self.factor}"] if self.factor > 1 else []),
            *([f"noise {self.noise:g}"] if self.noise else []),
            *(["pixels lost"] if isinstance(self.lost, str) else []),
            *([f"{100 * self.lost:g} % of the pixels lost"] if not isinstance(self.lost, str) and self.lost else []),
        ]
        return ", ".join(said) or "as it is"


@dataclass(frozen=True)
class Observation:
    """What is seen of a picture, and what it should be.

    Attributes:
        seen: float `(C, h, w)` in [0, 1]; what was lost is 0.
        known: bool `(1, h, w)`: the pixels that were not lost.
        clean: float `(C, H, W)` in [0, 1]; None where nobody knows.
    """

    seen: Tensor
    known: Tensor
    clean: Tensor | None


def observed(
    picture: Tensor, clean: Tensor | None, lost: Tensor | None, settings: Restoration, seed: int
) -> Observation:
    """Return what is seen of a picture.

    Args:
        picture: float `(C, h, w)` in [0, 1], as it was given; already made smaller if it is degraded.
        clean: what a degraded picture should be.
        lost: bool `(1, h, w)`, of a mask that is a file.
        settings: what is done to it.
        seed: of the noise and of the pixels that are lost by chance.
    """
    seen = picture
    if not settings.is_degraded:
        clean = picture
        seen = reduced(picture[None], settings.factor)[0]
        if settings.noise:
            chance = torch.randn(seen.shape, generator=generator(seed, "noise"))
            seen = (seen + settings.noise * chance).clamp(0, 1)
    if lost is None:
        share = settings.lost if not isinstance(settings.lost, str) else 0.0
        lost = torch.rand((1, *seen.shape[1:]), generator=generator(seed, "lost")) < share
    return Observation(seen.masked_fill(lost, 0.0), ~lost, clean)


def reduced(pictures: Tensor, factor: int) -> Tensor:
    """Return pictures `(N, C, H, W)` as small as they are seen: means over squares of `factor` pixels."""
    return F.avg_pool2d(pictures, factor) if factor > 1 else pictures
