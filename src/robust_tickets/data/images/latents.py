"""Fixed noise, which a generator takes in the place of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.fitting import Wanted
from robust_tickets.data.inputs import Inputs
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.latent_noise import LatentNoise

if TYPE_CHECKING:
    from robust_tickets.data.examples import Listing
    from robust_tickets.data.names import PartName
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.data.targets.targets import Targets


@dataclass(frozen=True)
class LatentFit:
    """The noise for pictures of one size.

    Attributes:
        noise: what it is drawn from.
        size: height and width of the pictures, pixels.
    """

    noise: LatentNoise
    size: tuple[int, int]

    @property
    def channels(self) -> int:
        """Channels of the pictures."""
        return self.noise.channels

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything."""
        return self.noise, self.size

    @property
    def words(self) -> str:
        """Size and channels of the pictures."""
        return f"a picture of {self.size[0]} x {self.size[1]} pixels, {self.channels} channels"


class Latents(Inputs):
    """The noise of one picture.

    Args:
        size: height and width of the picture, pixels.
    """

    noun: ClassVar[str] = "pictures"
    one: ClassVar[str] = "picture"
    lacks: ClassVar[frozenset[str]] = frozenset({"pixel-inputs", "text-inputs"})

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __len__(self) -> int:
        return 1

    @classmethod
    def fitting(
        cls, parts: Mapping[PartName, Listing], targets: type[Targets], settings: DataSettings, asked: Wanted, name: str
    ) -> LatentFit:
        """Return the noise of the generator that asks, for a picture of this size.

        Raises:
            UserError: no generator asks, or it cannot make pictures of this size.
        """
        if asked.latent is None:
            raise UserError(
                f"{name}: is a single picture, which a generator restores (prior/unet6), but the network takes "
                f"{asked.noun}; to train on images give a folder of them"
            )
        first = next(iter(parts.values())).inputs
        assert isinstance(first, Latents)
        if (complaint := asked.latent.complaint(first.size)) is not None:
            raise UserError(f"{name}: {complaint}")
        return LatentFit(asked.latent, first.size)

    def held(self, indices: Tensor, fit: LatentFit, keep: bool) -> Tensor:
        """Return the noise `(depth, h, w)`."""
        return fit.noise.drawn(fit.size)

    def single(self, index: int, held: Tensor | None, fit: LatentFit) -> Tensor:
        """Return the noise `(depth, h, w)`."""
        return fit.noise.drawn(fit.size) if held is None else held

    def batch(
        self, indices: Tensor, held: Tensor | None, fit: LatentFit, augmentation: Augmenting, draws: Tensor
    ) -> Tensor:
        """Return the noise `(n, depth, h, w)`, the same for all."""
        one = self.single(0, held, fit)
        return one.expand(len(indices), *one.shape)

    def in_whole_batches(self, held: Any, augmentation: Augmenting) -> bool:
        """Return True."""
        return True

    def augmented(
        self, index: int, augmentation: Augmenting, draws: Tensor, fit: LatentFit, *stream: str | int
    ) -> Tensor:
        """Return the noise as it is."""
        return self.single(index, None, fit)

    def collated(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the noise of several, `(n, depth, h, w)`."""
        return torch.stack(list(inputs))

    def fingerprint(self, digest: Any, indices: Tensor, fit: LatentFit, targets: Targets) -> None:
        """Take in the picture."""
        digest.update(targets.content(indices))

    def suited(self, indices: Tensor) -> Augmenting:
        """Return nothing."""
        return NoAugmentation()

    def shipped_with(self, fit: LatentFit) -> dict[str, Any]:
        """Return the size of the picture."""
        return {"size": fit.size}

    @classmethod
    def remarks(cls, parts: Sequence[Listing], fit: LatentFit) -> tuple[str, ...]:
        """Return nothing."""
        return ()
