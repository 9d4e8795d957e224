"""No targets: images without labels, from which a network learns by itself."""

from typing import ClassVar

from torch import Tensor

from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.of_whole import OfWhole
from robust_tickets.data.targets.targets import zeros


class Unlabelled(OfWhole):
    """Nothing is known of an image but the image; what is asked for is 0.

    There is nothing to choose epochs or to judge by, so that all images train, but for parts that are there.

    Args:
        count: number of images.
    """

    kind: ClassVar[str] = "unlabelled"
    words: ClassVar[str] = "has {inputs} without labels"
    noun: ClassVar[str] = "labels"
    judge: ClassVar[bool] = False

    def __init__(self, count: int) -> None:
        self.count = count

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(self.count)

    def single(self, index: int, fit: ImageFit, keep: bool) -> int:
        """Return 0."""
        return 0

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
