"""How the inputs of a data set become what a network takes; of images and of texts, each in its own file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from robust_tickets.foundation.latent_noise import LatentNoise

if TYPE_CHECKING:
    from robust_tickets.tokens.format import TokenFormat

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Wanted:
    """What a network, a run and this machine ask of data; see `load_data`."""

    size: tuple[int, int] | None = None
    channels: int | None = None
    interpolation: Interpolation = "bilinear"
    crop_fraction: float = 1.0
    tokens: TokenFormat | None = None
    """Of a network that takes texts."""
    latent: LatentNoise | None = None
    """Of a generator, which takes fixed noise and makes one picture of it."""
    seed: int = 0
    trains: bool = True
    memory_limit: int = 2**30
    """Bytes up to which a part is kept decoded."""

    @property
    def noun(self) -> str:
        """What the network takes, for messages."""
        if self.tokens is not None:
            return "texts"
        return "fixed noise, of which it makes one picture" if self.latent is not None else "images"


class Fitting(Protocol):
    """How single inputs are brought to a network."""

    @property
    def facts(self) -> tuple[object, ...]:
        """What decides the outcome, for digests."""
        ...

    @property
    def words(self) -> str:
        """What the network sees, for readers: `32 x 32 pixels, 3 channels`."""
        ...
