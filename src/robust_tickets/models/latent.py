"""Fixed noise as a network's input: what a generator turns into the one picture that it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from robust_tickets.attacks.perturbable import Perturbable, same
from robust_tickets.foundation.latent_noise import LatentNoise
from robust_tickets.foundation.lazy import nn
from robust_tickets.models.interface import Interface
from robust_tickets.models.pixels import Size

if TYPE_CHECKING:
    from torch import Tensor


class Latent(Interface):
    """What a generator starts from: uniform noise [N, depth, h, w], the same at every step and for every example."""

    noun: ClassVar[str] = "fixed noise"
    kind: Literal["latent"] = "latent"
    depth: int = Field(ge=1, description="Channels of the noise.")
    pictures: Literal[1, 3] = Field(default=3, description="Channels of the pictures that come out.")
    reduction: int = Field(default=1, ge=1, description="Pixels of a picture to a side of one place of the noise.")
    scale: float = Field(default=0.1, gt=0, description="The noise lies in [0, scale].")
    least: int = Field(default=1, ge=1, description="Smallest side of a picture, in pixels.")
    seed: int = Field(default=0, ge=0, description="Seed of the noise.")
    size: Size

    @property
    def noise(self) -> LatentNoise:
        """What whoever feeds the network has to know."""
        return LatentNoise(self.depth, self.pictures, self.reduction, self.scale, self.least, self.seed)

    @property
    def complaint(self) -> str | None:
        """What is wrong with the size of pictures."""
        return self.noise.complaint(self.size)

    def preparation(self) -> nn.Module:
        """Return nothing but a passage."""
        return nn.Identity()

    def perturbable(self, body: nn.Module, inputs: Any) -> Perturbable:
        """Return the noise, which tasks of generators let no attack move."""
        return Perturbable(inputs, same)

    def example(self, count: int, *stream: str) -> Tensor:
        """Return the noise float32 [count, depth, h, w]; it is the same whatever the stream."""
        drawn = self.noise.drawn(self.size)
        return drawn.expand(count, *drawn.shape).contiguous()

    def wanted(self) -> dict[str, Any]:
        """Return what the noise is."""
        return {"latent": self.noise}

    def describe(self) -> str:
        """Return the noise, and the size of pictures."""
        height, width = self.size
        return f"fixed noise of {self.depth} channels, for pictures of {height} x {width} px"

    @property
    def shape_words(self) -> str:
        """Depth, height and width."""
        return " x ".join(map(str, self.noise.shape(self.size)))
