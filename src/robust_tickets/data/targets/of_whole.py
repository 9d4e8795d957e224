"""Targets of whole inputs: what class numbers and their absence have in common."""

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import STILL, Augmenting
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.images.fit import Fit, Interpolation
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import Targets


class OfWhole(Targets, ABC):
    """A number for each input, wherever in the image something lies."""

    provides: ClassVar[frozenset[str]] = frozenset({STILL})
    # Before there were other kinds of targets each image that is loaded by itself had its own random stream.
    in_whole_batches: ClassVar[bool] = False

    def collated(self, targets: Sequence[Any]) -> Tensor:
        """Return numbers, int64 `(n,)`."""
        return torch.tensor(targets)

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return the numbers, which no augmentation changes."""
        return targets

    @classmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> Fit:
        """Return the fit that covers all of the input and crops the centre."""
        return Fit(size, channels, interpolation, crop_fraction)

    @classmethod
    def wanted_size(cls, settings: DataSettings, size: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the settings' size, or else the network's."""
        return settings.size or size

    @classmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return what suits the set, or else its inputs."""
        return found.augmentation or train.inputs.suited(train.indices)
