"""What is asked for with an input: what class numbers, label images and other kinds of targets have in common.

A kind is one file with one class. It says how its targets are read, fitted and moved with their images, collated and
told apart, and by which words messages speak of them. Nothing outside that file asks which kind there is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.fitting import Interpolation, Wanted
from robust_tickets.data.inputs import Fault, Inputs
from robust_tickets.data.names import PartName
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError

if TYPE_CHECKING:
    from robust_tickets.data.examples import Examples, Found, Listing
    from robust_tickets.data.images.fit import ImageFit
    from robust_tickets.data.settings import DataSettings


Parts = Mapping[PartName, "Examples"]
"""Train, validation and test."""


class Targets(ABC):
    """The targets of the inputs that some part of a data set was found to have, by the index of the input."""

    kind: ClassVar[str]
    """The kind's name, as tasks ask for it."""

    words: ClassVar[str]
    """What a data set with such targets does, for messages: `labels pixels`; `{inputs}` stands for its inputs."""

    noun: ClassVar[str]
    """What the targets are, for messages: `label images`."""

    provides: ClassVar[frozenset[str]]
    """What an augmentation may need of targets."""

    judge: ClassVar[bool] = True
    """Whether a network can be judged by them."""

    unjudged: ClassVar[str] = (
        "has no labels, by which a network could be judged; pretrain or draw on these images, and transfer to data "
        "with labels"
    )
    """What is said where a network cannot."""

    selects: ClassVar[bool] = True
    """Whether epochs may be selected by those of the validation part: not if they are those of the test part."""

    is_restored: ClassVar[bool] = False
    """Whether they are what inputs were before they were degraded."""

    in_whole_batches: ClassVar[bool] = True
    """Whether batches are augmented as a whole, even where their images are loaded one by one."""

    @property
    @abstractmethod
    def balance(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`: all 0 if inputs have no class."""

    @abstractmethod
    def single(self, index: int, fit: Any, keep: bool) -> Any:
        """Return the target of one image, fitted as the image is; where `keep`, what is decoded may stay in memory.

        Raises:
            UserError: it cannot be read.
        """

    @abstractmethod
    def collated(self, targets: Sequence[Any]) -> Any:
        """Return what a batch has of the targets of its images."""

    @abstractmethod
    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return a batch's targets as they are after its images were augmented with the same `draws`."""

    @abstractmethod
    def fingerprints(self, indices: Tensor) -> Sequence[str]:
        """Return a word for the content of each target, for the digest of files."""

    def fitted(self, indices: Tensor, fit: Any, keep: bool) -> Any:
        """Return the targets of a batch, fitted as its images are; see `single`."""
        return self.collated([self.single(index, fit, keep) for index in indices.tolist()])

    def content(self, indices: Tensor) -> bytes:
        """Return the content of targets, for the digest of what lies in no files."""
        return "\n".join(self.fingerprints(indices)).encode()

    def meaning(self) -> str:
        """Return what the digest has to tell of the kind itself: how its targets are understood."""
        return ""

    def uniforms(self, fit: Any) -> int:
        """Return how many random numbers it takes to ask for one of them."""
        return 0

    def asked(self, batch: Batch, fit: Any, draws: Tensor) -> Batch:
        """Return a batch as it is asked for, with `draws` `(n, uniforms)`: by default as it is."""
        return batch

    @classmethod
    def arranged(cls, found: Found, settings: DataSettings, asked: Wanted) -> Found:
        """Return the parts as examples for the network that asks, before any are chosen; by default as they are.

        Raises:
            UserError: they cannot be made.
        """
        return found

    @classmethod
    def presented(cls, part: Listing, fit: Any, settings: DataSettings) -> Listing:
        """Return the chosen examples of a part as the network is asked for them; by default as they were chosen."""
        return part

    def bytes_each(self, fit: Any) -> int:
        """Return what one target takes in memory."""
        return 0

    def evaluated_at_once(self, fit: Any) -> int | None:
        """Return how many inputs are evaluated at once, at most; None: as many as are asked for."""
        return None

    def faults(self, indices: Tensor, inputs: Inputs) -> list[Fault | None]:
        """Return what is wrong with each target that cannot be read or does not fit its input, which can be read."""
        return [None] * len(indices)

    def prepare(self, part: Examples, ahead: bool) -> None:  # noqa: B027
        """Find out before training what can be, as `Images.prepare` does.

        Raises:
            UserError: a target is unreadable, or does not go with its image.
        """

    @classmethod
    def said_of(cls, inputs: str) -> str:
        """Return what a data set with such targets does, whose inputs have this name: `labels whole images`."""
        return cls.words.format(inputs=inputs)

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return which of the settings such data have no use for, and what to do; None if there is none.

        Args:
            settings: those of the data.
            inputs: what their inputs are, for messages.
        """
        return None

    @classmethod
    def divided(cls, settings: DataSettings) -> DataSettings:
        """Return the settings by which parts are held out that were not found; by default the user's."""
        return settings

    @classmethod
    def require_left(cls, found: Found, part: PartName, left: Listing) -> None:
        """Refuse a part of which too little is left without unreadable files; by default one without any image.

        Raises:
            UserError: says what is missing.
        """
        if not len(left):
            raise UserError(
                f"{found.name}: none of the {found.inputs.noun} of the {part} part can be read with their {cls.noun}"
            )

    @classmethod
    def checked(cls, found: Found, *, trains: bool) -> tuple[str, ...]:
        """Return what a reader has to know of the parts as they were found, one sentence each.

        Raises:
            UserError: they are not a data set; `trains` tells whether one can be trained on.
        """
        return ()

    @classmethod
    def understood(cls, found: Found, settings: DataSettings, parts: Parts) -> tuple[tuple[str, ...], Parts]:
        """Return the classes, and the prepared parts with targets as they are meant.

        Raises:
            UserError: they cannot be meant so.
        """
        return found.classes, parts

    @classmethod
    def balanced_over(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Return names for what a choice is balanced over; none if images have no class."""
        return ()

    @classmethod
    @abstractmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> ImageFit:
        """Return how images with such targets become the network's input; see `images/fit.py`."""

    @classmethod
    def wanted_size(cls, settings: DataSettings, size: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the size that images become; None if it is the one they share. `size` is the network's."""
        return settings.size

    @classmethod
    @abstractmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return what training should do to the images if the user did not say."""

    @classmethod
    def remarks(cls, classes: tuple[str, ...], parts: Parts) -> tuple[str, ...]:
        """Return what else a reader has to know once the parts are there, one sentence each."""
        return ()


def zeros(count: int) -> Tensor:
    """Return what a choice is balanced over if images have no class: one class."""
    return torch.zeros(count, dtype=torch.long)
