"""The one set of examples of every kind: images, what each should become, and which of them were chosen."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.augmentation import Augmentation
from robust_tickets.data.fit import Fitting, resize
from robust_tickets.data.images.images import Fault, Images
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.targets import Targets
from robust_tickets.foundation.batch import Batch


@dataclass(frozen=True, eq=False)
class Listing:
    """Some of the examples that were found, before they are fitted to a network.

    Attributes:
        images: those that were found; all choices share them.
        targets: of each of these.
        indices: int64 `(N,)`, the chosen ones.
    """

    images: Images
    targets: Targets
    indices: Tensor

    @classmethod
    def whole(cls, images: Images, targets: Targets) -> "Listing":
        """Return all examples."""
        return cls(images, targets, torch.arange(len(images)))

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`: class numbers; all 0 if an image has none."""
        return self.targets.balance[self.indices]

    def subset(self, indices: Tensor) -> "Listing":
        """Return those at `indices`."""
        return Listing(self.images, self.targets, self.indices[indices])

    def room(self, fit: Fitting) -> int:
        """Return the bytes that all of them take, decoded and fitted."""
        channels, height, width = fit.shape
        return len(self) * (channels * height * width + self.targets.bytes_each(fit))

    def faults(self) -> list[Fault | None]:
        """Return of each example what cannot be read, for which it has to be decoded."""
        of_images = self.images.faults(self.indices)
        readable = self.indices[torch.tensor([fault is None for fault in of_images], dtype=torch.bool)]
        of_targets = iter(self.targets.faults(readable, self.images))
        return [next(of_targets) if fault is None else fault for fault in of_images]


@dataclass(frozen=True, eq=False)
class Found:
    """The parts of a data set as they were found.

    Attributes:
        parts: `train`, and `validation` and `test` if the set has them. A single part of any name is
            taken for an undivided set. All have targets of one kind.
        classes: class names, in the order of labels; none if the targets have to tell.
        name: what the data are called in reports.
        augmentation: what suits the set in training; None: whatever suits its images.
        notes: what a reader needs to know about how they were found, one sentence each.
    """

    parts: dict[PartName, Listing]
    classes: tuple[str, ...]
    name: str
    augmentation: Augmentation | None = None
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> type[Targets]:
        """The kind of the targets."""
        return type(next(iter(self.parts.values())).targets)


class Examples(Dataset[tuple[Tensor, Any]]):
    """A map-style data set of (float32 image `(C, H, W)` in [0, 1], target), as a network takes them.

    Args:
        listing: which examples.
        fit: the network's input geometry.
        keep: whether what is decoded stays in memory.
    """

    def __init__(self, listing: Listing, fit: Fitting, keep: bool = False) -> None:
        self.listing, self.fit, self.keep = listing, fit, keep
        self.images, self.targets, self.indices = listing.images, listing.targets, listing.indices
        self.held = self.images.held(self.indices, fit, self.keep)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it decodes for itself."""
        return {**self.__dict__, "held": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.held = self.images.held(self.indices, self.fit, self.keep)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        """Return a float image `(C, H, W)` in [0, 1] as in evaluation, and its target: of class numbers an int.

        Raises:
            UserError: the example cannot be read.
        """
        position = self.indices[index]
        return self.pixels(position[None])[0], self.targets.single(int(position), self.fit, self.keep)

    @property
    def labels(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`: class numbers; all 0 if an image has none."""
        return self.listing.labels

    def subset(self, indices: Tensor) -> "Examples":
        """Return the examples at `indices`."""
        return Examples(self.listing.subset(indices), self.fit, self.keep)

    def prepare(self, ahead: bool) -> None:
        """Find out before training what can be: what the digest needs, and whether files are readable.

        Where `ahead`, all that is kept in memory is decoded now, and not when it is first asked for.

        Raises:
            UserError: an example is unreadable.
        """
        self.images.prepare(self.indices, self.fit, self.keep, ahead)
        self.targets.prepare(self, ahead)

    def in_whole_batches(self, augmentation: Augmentation) -> bool:
        """Return whether batches are augmented as a whole; else image by image, each from its own stream."""
        from_originals = augmentation.cuts_originals and self.images.have_originals
        return self.targets.in_whole_batches or (self.held is not None and not from_originals)

    def batch(self, indices: Tensor, augmentation: Augmentation, draws: Tensor) -> Batch:
        """Return the examples at `indices`, augmented by `draws` `(n, uniforms)`.

        Raises:
            UserError: one cannot be read.
        """
        chosen, size = self.indices[indices], self.fit.size
        targets = self.targets.fitted(chosen, self.fit, self.keep)
        images = augmentation.apply(self.pixels(chosen, own=True), draws, size)
        moved = self.targets.moved(targets, augmentation, draws, size)
        return Batch(resize(images, size, self.fit.interpolation), moved)

    def augmented(
        self, index: int, augmentation: Augmentation, draws: Tensor, *stream: str | int
    ) -> tuple[Tensor, Any]:
        """Return one example made of the original image, uint8 or float; `draws` is `(1, uniforms)`.

        Args:
            index: which.
            augmentation: what is done to it.
            draws: the random numbers for that.
            stream: what random transforms of the user's own draw from.

        Raises:
            UserError: it cannot be read.
        """
        position = int(self.indices[index])
        image = self.images.original(position, *stream)
        return augmentation.of_original(image, draws, self.fit), self.targets.single(position, self.fit, self.keep)

    def pixels(self, positions: Tensor, own: bool = False) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1], not augmented; of those in memory, their `own` resolution."""
        if self.held is None:
            return torch.stack([self.fit.floats(self.images.original(index)) for index in positions.tolist()])
        images = self.held.floats(positions)
        return images if own else resize(images, self.fit.size, self.fit.interpolation)

    def digest(self) -> str:
        """Return a fingerprint of the chosen images and their targets."""
        digest = hashlib.sha256(self.targets.meaning().encode())
        self.images.fingerprint(digest, self.indices, self.fit, self.targets)
        return digest.hexdigest()
