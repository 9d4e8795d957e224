"""What kinds of targets that only texts have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.fitting import Interpolation
from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.targets.targets import Targets


class TextTargets(Targets):
    """Targets of texts, which nothing moves and nothing resizes."""

    provides: ClassVar[frozenset[str]] = frozenset()

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return the targets: texts are not augmented."""
        return targets

    @classmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> ImageFit:
        """Refuse: no image has such targets."""
        raise AssertionError(f"only images are brought to a size, and no image {cls.said_of('texts')}")

    @classmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return nothing."""
        return NoAugmentation()
