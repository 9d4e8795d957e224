"""The one set of examples of every kind: inputs, what each should become, and which of them were chosen."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.fitting import Fitting
from robust_tickets.data.inputs import Fault, Inputs
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.targets import Targets
from robust_tickets.foundation.batch import Batch


@dataclass(frozen=True, eq=False)
class Listing:
    """Some of the examples that were found, before they are fitted to a network.

    Attributes:
        inputs: those that were found; all choices share them.
        targets: of each of these.
        indices: int64 `(N,)`, the chosen ones.
    """

    inputs: Inputs
    targets: Targets
    indices: Tensor

    @classmethod
    def whole(cls, inputs: Inputs, targets: Targets) -> "Listing":
        """Return all examples."""
        return cls(inputs, targets, torch.arange(len(inputs)))

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`: class numbers; all 0 if an example has none."""
        return self.targets.balance[self.indices]

    def subset(self, indices: Tensor) -> "Listing":
        """Return those at `indices`."""
        return Listing(self.inputs, self.targets, self.indices[indices])

    def room(self, fit: Fitting) -> int:
        """Return the bytes that all of them take, decoded and fitted."""
        return len(self) * (self.inputs.bytes_each(fit) + self.targets.bytes_each(fit))

    def faults(self) -> list[Fault | None]:
        """Return of each example what cannot be read, for which it has to be decoded."""
        of_inputs = self.inputs.faults(self.indices)
        readable = self.indices[torch.tensor([fault is None for fault in of_inputs], dtype=torch.bool)]
        of_targets = iter(self.targets.faults(readable, self.inputs))
        return [next(of_targets) if fault is None else fault for fault in of_inputs]


@dataclass(frozen=True, eq=False)
class Found:
    """The parts of a data set as they were found.

    Attributes:
        parts: `train`, and `validation` and `test` if the set has them. A single part of any name is
            taken for an undivided set. All have targets of one kind.
        classes: class names, in the order of labels; none if the targets have to tell.
        name: what the data are called in reports.
        augmentation: what suits the set in training; None: whatever suits its inputs.
        notes: what a reader needs to know about how they were found, one sentence each.
    """

    parts: dict[PartName, Listing]
    classes: tuple[str, ...]
    name: str
    augmentation: Augmenting | None = None
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> type[Targets]:
        """The kind of the targets."""
        return type(next(iter(self.parts.values())).targets)

    @property
    def inputs(self) -> type[Inputs]:
        """The kind of the inputs."""
        return type(next(iter(self.parts.values())).inputs)


class Examples(Dataset[tuple[Any, Any]]):
    """A map-style data set of (input, target), as a network takes them: of images float32 `(C, H, W)` in [0, 1].

    Args:
        listing: which examples.
        fit: how inputs are brought to the network.
        keep: whether what is decoded stays in memory.
    """

    def __init__(self, listing: Listing, fit: Any, keep: bool = False) -> None:
        self.listing, self.fit, self.keep = listing, fit, keep
        self.inputs, self.targets, self.indices = listing.inputs, listing.targets, listing.indices
        self.held = self.inputs.held(self.indices, fit, self.keep)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it decodes for itself."""
        return {**self.__dict__, "held": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.held = self.inputs.held(self.indices, self.fit, self.keep)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return an input as in evaluation, and its target: of class numbers an int.

        Raises:
            UserError: the example cannot be read.
        """
        position = int(self.indices[index])
        return self.inputs.single(position, self.held, self.fit), self.targets.single(position, self.fit, self.keep)

    @property
    def labels(self) -> Tensor:
        """What a choice is balanced over, int64 `(N,)`: class numbers; all 0 if an example has none."""
        return self.listing.labels

    @property
    def lengths(self) -> Tensor | None:
        """How long each input is, int64 `(N,)`, where batches are padded; None where all are of one size."""
        return self.inputs.lengths(self.indices, self.fit)

    def subset(self, indices: Tensor) -> "Examples":
        """Return the examples at `indices`."""
        return Examples(self.listing.subset(indices), self.fit, self.keep)

    def prepare(self, ahead: bool) -> None:
        """Find out before training what can be: what the digest needs, and whether files are readable.

        Where `ahead`, all that is kept in memory is decoded now, and not when it is first asked for.

        Raises:
            UserError: an example is unreadable.
        """
        self.inputs.prepare(self.indices, self.fit, self.keep, ahead)
        self.targets.prepare(self, ahead)

    def in_whole_batches(self, augmentation: Augmenting) -> bool:
        """Return whether batches are augmented as a whole; else input by input, each from its own stream."""
        return self.targets.in_whole_batches or self.inputs.in_whole_batches(self.held, augmentation)

    def uniforms(self, augmentation: Augmenting) -> int:
        """Return how many random numbers an example takes."""
        return augmentation.uniforms + self.targets.uniforms(self.fit)

    def batch(self, indices: Tensor, augmentation: Augmenting, draws: Tensor) -> Batch:
        """Return the examples at `indices`, made with `draws` `(n, uniforms)`.

        Raises:
            UserError: one cannot be read.
        """
        chosen, moves = self.indices[indices], draws[:, : augmentation.uniforms]
        inputs = self.inputs.batch(chosen, self.held, self.fit, augmentation, moves)
        targets = self.targets.fitted(chosen, self.fit, self.keep)
        if augmentation.uniforms:
            targets = self.targets.moved(targets, augmentation, moves, self.fit.size)
        return self.targets.asked(Batch(inputs, targets), self.fit, draws[:, augmentation.uniforms :])

    def augmented(self, index: int, augmentation: Augmenting, draws: Tensor, *stream: str | int) -> tuple[Any, Any]:
        """Return one example made of the original input; `draws` is `(1, uniforms)`.

        Args:
            index: which.
            augmentation: what is done to it.
            draws: the random numbers for that.
            stream: what random transforms of the user's own draw from.

        Raises:
            UserError: it cannot be read.
        """
        position = int(self.indices[index])
        made = self.inputs.augmented(position, augmentation, draws, self.fit, *stream)
        return made, self.targets.single(position, self.fit, self.keep)

    def digest(self) -> str:
        """Return a fingerprint of the chosen inputs and their targets."""
        digest = hashlib.sha256(self.targets.meaning().encode())
        self.inputs.fingerprint(digest, self.indices, self.fit, self.targets)
        return digest.hexdigest()
