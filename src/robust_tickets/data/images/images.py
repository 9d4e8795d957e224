"""Where the images of a data set come from: what files, arrays and a user's data set have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import Augmentation, FlipCrop
from robust_tickets.data.fit import Fitting

if TYPE_CHECKING:
    from robust_tickets.data.targets.targets import Targets

Geometry = tuple[tuple[int, int], int]
"""(height, width) in pixels, and channels, 1 or 3."""

Fault = tuple[str, str]
"""Where an unreadable file lies, and what is wrong with it."""


class Held(Protocol):
    """Images that are held in memory, at their own resolution."""

    def floats(self, indices: Tensor) -> Tensor:
        """Return float images `(n, C, h, w)` in [0, 1]."""
        ...


class Images(ABC):
    """The images that some part of a data set was found to have, by index.

    Every choice that a seed makes from the part shares them, and with them what is known of them and what is decoded.
    """

    resized_whole: ClassVar[bool] = False
    """Whether images are resized whole, so that no centre is cut out of them."""

    have_originals: ClassVar[bool] = True
    """Whether an image can be had at a higher resolution than the one that is held in memory."""

    probed: ClassVar[bool] = False
    """Whether only some images are looked at before training, because there is no other way than to load them."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many there are."""

    @abstractmethod
    def original(self, index: int, *stream: str | int) -> Image.Image | Tensor:
        """Return one image as it is, upright: PIL, or float `(C, H, W)` in [0, 1].

        Args:
            index: which.
            stream: what random transforms draw from, if the source has any.

        Raises:
            UserError: it cannot be read.
        """

    @abstractmethod
    def geometries(self, indices: Tensor) -> Sequence[tuple[str, Geometry]]:
        """Return where images lie and their geometry, of all or, where `probed`, of some. Damaged ones are left out.

        Raises:
            UserError: none of them can be read.
        """

    @abstractmethod
    def held(self, indices: Tensor, fit: Fitting, keep: bool) -> Held | None:
        """Return the images from memory, where they are or come to be held there; else None.

        Args:
            indices: those that will be asked for.
            fit: the network's input geometry.
            keep: whether images that are decoded may be kept.
        """

    @abstractmethod
    def fingerprint(self, digest: Any, indices: Tensor, fit: Fitting, targets: Targets) -> None:
        """Let a hash of `hashlib` take in the chosen images and their targets."""

    def channels(self, indices: Tensor) -> list[int]:
        """Return the channels, 1 or 3, that each image has before it is converted; where `probed`, of some."""
        return [channels for _, (_, channels) in self.geometries(indices)]

    def faults(self, indices: Tensor) -> list[Fault | None]:
        """Return what is wrong with each image that cannot be read, for which it has to be decoded."""
        return [None] * len(indices)

    def prepare(self, indices: Tensor, fit: Fitting, keep: bool, ahead: bool) -> None:  # noqa: B027
        """Find out before training what can be: what the digest needs, and whether images are readable.

        Args:
            indices: those that will be asked for.
            fit: the network's input geometry.
            keep: whether images that are decoded may be kept.
            ahead: whether those that are kept are decoded now, and not when they are first asked for.

        Raises:
            UserError: an image is unreadable.
        """

    def suited(self, indices: Tensor) -> Augmentation:
        """Return what training should do to such images where nobody said."""
        # Grey images are mostly digits and letters, which must not be mirrored.
        return FlipCrop(flip=3 in self.channels(indices))
