"""`prior/...`: generators, which make one picture of fixed noise. They come without weights."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.latent import Latent
from robust_tickets.models.networks import deep_decoder, unet_prior

PICTURES: Literal[3] = 3
"""Channels of pictures: those that are grey become RGB."""

USUAL_SIDE = 256
"""Of a picture, pixels, where nothing says how large it is."""


@dataclass(frozen=True)
class NamedGenerator:
    """One kind of generator: the names it answers to, how it is built, and from which noise it starts."""

    pattern: re.Pattern[str]
    examples: tuple[str, ...]
    build: Callable[[str, int], nn.Module]
    """From name and channels of pictures."""
    latent: Callable[[str], Latent]
    """From name."""


def of_unet(name: str) -> Latent:
    """Return noise of the picture's own size."""
    least = unet_prior.least_side(name)
    side = max(USUAL_SIDE, least)
    return Latent(depth=unet_prior.DEPTH, pictures=PICTURES, least=least, size=(side, side))


def of_decoder(name: str) -> Latent:
    """Return noise that is doubled to the picture's size."""
    reduction = 2 ** deep_decoder.doublings_of(name)
    return Latent(
        depth=deep_decoder.channels_of(name),
        pictures=PICTURES,
        reduction=reduction,
        least=2 * reduction,
        scale=1.0,
        size=(USUAL_SIDE, USUAL_SIDE),
    )


GENERATORS = (
    NamedGenerator(
        unet_prior.PATTERN, tuple(f"prior/unet{levels}" for levels in range(3, 7)), unet_prior.unet_prior, of_unet
    ),
    NamedGenerator(deep_decoder.PATTERN, ("prior/decoder5",), deep_decoder.deep_decoder, of_decoder),
)


class Generators:
    """The generators of Optimal Eye Surgeon and Deep Decoder; see `networks/`."""

    prefix = "prior/"

    def names(self) -> list[str]:
        """Return the usual members; other levels and widths exist too."""
        return [name for generator in GENERATORS for name in generator.examples]

    def knows(self, name: str) -> bool:
        """Return whether one of the generators understands the name."""
        return any(generator.pattern.fullmatch(f"{self.prefix}{name}") for generator in GENERATORS)

    def tags(self, name: str) -> list[str]:
        """Return nothing: what a generator learns is one picture."""
        return []

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the generator; `num_classes` are the channels of its pictures.

        Raises:
            UserError: they are not three.
        """
        full = f"{self.prefix}{name}"
        if shape.num_classes not in (None, PICTURES):
            raise UserError(f"num_classes: {full} makes pictures of {PICTURES} channels; leave it out")
        return self._find(full).build(full, PICTURES)

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Refuse: there are none."""
        raise UserError(
            f"{self.prefix}{name}: a generator starts from random weights and learns one picture; give weights: random"
        )

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Latent, str]:
        """Return the noise that it starts from."""
        full = f"{self.prefix}{name}"
        return self._find(full).latent(full), ""

    def _find(self, full: str) -> NamedGenerator:
        return next(generator for generator in GENERATORS if generator.pattern.fullmatch(full))
