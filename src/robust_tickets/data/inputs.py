"""What goes into a network, of some part of a data set: what images and texts have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.fitting import Fitting, Wanted

if TYPE_CHECKING:
    from robust_tickets.data.examples import Listing
    from robust_tickets.data.names import PartName
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.data.targets.targets import Targets

Fault = tuple[str, str]
"""Where an unreadable file lies, and what is wrong with it."""


class Inputs(ABC):
    """The inputs that some part of a data set was found to have, by index.

    Every choice that a seed makes from the part shares them, and with them what is known of them and what is decoded.
    """

    noun: ClassVar[str]
    """What they are, for messages: `images`."""
    one: ClassVar[str]
    """One of them: `image`."""

    lacks: ClassVar[frozenset[str]] = frozenset()
    """What objectives and measures may need that such inputs do not have, whatever the task provides."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many there are."""

    @classmethod
    @abstractmethod
    def fitting(
        cls, parts: Mapping[PartName, Listing], targets: type[Targets], settings: DataSettings, asked: Wanted, name: str
    ) -> Fitting:
        """Return how the inputs of these parts are brought to the network that asks for them.

        Raises:
            UserError: it takes other inputs, or they are of several sizes and none is asked for.
        """

    @abstractmethod
    def held(self, indices: Tensor, fit: Any, keep: bool) -> Any:
        """Return the inputs from memory, where they are or come to be held there; else None.

        Args:
            indices: those that will be asked for.
            fit: how they are brought to the network.
            keep: whether inputs that are decoded may be kept.
        """

    @abstractmethod
    def single(self, index: int, held: Any, fit: Any) -> Any:
        """Return one input as a network sees it in evaluation, without a dimension for the batch.

        Raises:
            UserError: it cannot be read.
        """

    @abstractmethod
    def batch(self, indices: Tensor, held: Any, fit: Any, augmentation: Augmenting, draws: Tensor) -> Any:
        """Return the inputs of a batch, augmented by `draws` `(n, uniforms)`."""

    @abstractmethod
    def in_whole_batches(self, held: Any, augmentation: Augmenting) -> bool:
        """Return whether batches are made as a whole, even if the targets need not be; else input by input."""

    @abstractmethod
    def augmented(self, index: int, augmentation: Augmenting, draws: Tensor, fit: Any, *stream: str | int) -> Any:
        """Return one input made of the original; `draws` is `(1, uniforms)`.

        Args:
            index: which.
            augmentation: what is done to it.
            draws: the random numbers for that.
            fit: how it is brought to the network.
            stream: what random transforms of the user's own draw from.
        """

    @abstractmethod
    def collated(self, inputs: Sequence[Any]) -> Any:
        """Return what a batch has of inputs that were made one by one."""

    @abstractmethod
    def fingerprint(self, digest: Any, indices: Tensor, fit: Any, targets: Targets) -> None:
        """Let a hash of `hashlib` take in the chosen inputs and their targets."""

    @abstractmethod
    def suited(self, indices: Tensor) -> Augmenting:
        """Return what training should do to such inputs where nobody said."""

    @classmethod
    @abstractmethod
    def remarks(cls, parts: Sequence[Listing], fit: Any) -> tuple[str, ...]:
        """Return what a reader has to know of how they were fitted, one sentence each."""

    def bytes_each(self, fit: Any) -> int:
        """Return what one input takes in memory once it is fitted."""
        return 0

    def lengths(self, indices: Tensor, fit: Any) -> Tensor | None:
        """Return how long each input is, int64 `(n,)`, where batches are padded; None where all are of one size."""
        return None

    def faults(self, indices: Tensor) -> list[Fault | None]:
        """Return what is wrong with each input that cannot be read, for which it has to be decoded."""
        return [None] * len(indices)

    def shipped_with(self, fit: Any) -> dict[str, Any]:
        """Return what a network that was trained on them prepares its inputs with, other than its source did."""
        return {}

    def prepare(self, indices: Tensor, fit: Any, keep: bool, ahead: bool) -> None:  # noqa: B027
        """Find out before training what can be: what the digest needs, and whether inputs are readable.

        Args:
            indices: those that will be asked for.
            fit: how they are brought to the network.
            keep: whether inputs that are decoded may be kept.
            ahead: whether those that are kept are decoded now, and not when they are first asked for.

        Raises:
            UserError: one is unreadable.
        """
