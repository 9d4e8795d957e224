"""No targets: images without labels, from which a network learns by itself."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import STILL, Augmenting
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.fitting import Interpolation
from robust_tickets.data.images.fit import Fit, ImageFit
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import Targets, zeros


class Unlabelled(Targets):
    """Nothing is known of an image but the image; what is asked for is 0.

    There is nothing to choose epochs or to judge by, so that all images train, but for parts that are there.

    Args:
        count: number of images.
    """

    kind: ClassVar[str] = "unlabelled"
    words: ClassVar[str] = "has {inputs} without labels"
    noun: ClassVar[str] = "labels"
    provides: ClassVar[frozenset[str]] = frozenset({STILL})
    judge: ClassVar[bool] = False
    in_whole_batches: ClassVar[bool] = False

    def __init__(self, count: int) -> None:
        self.count = count

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(self.count)

    def single(self, index: int, fit: ImageFit, keep: bool) -> int:
        """Return 0."""
        return 0

    def collated(self, targets: Sequence[Any]) -> Tensor:
        """Return zeros."""
        return torch.tensor(targets)

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return the zeros."""
        return targets

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return nothing that the images do not tell."""
        return [""] * len(indices)

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return that there is nothing to judge by, where another part than the default one was asked for."""
        for name in ("validation", "test"):
            if getattr(settings, name) not in (0, DataSettings.model_fields[name].default):
                return f"has {inputs} without labels, by which nothing can be judged; leave out data.{name}"
        return None

    @classmethod
    def divided(cls, settings: DataSettings) -> DataSettings:
        """Return settings under which nothing is held out."""
        return settings.model_copy(update={"validation": 0.0, "test": 0.0})

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
        """Return what suits the inputs, where an objective does not make views of its own."""
        return found.augmentation or train.inputs.suited(train.indices)
