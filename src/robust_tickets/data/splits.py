"""Train, validation and test, with their provenance."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.examples import Examples
from robust_tickets.foundation.errors import UserError


@dataclass(frozen=True)
class DataSplits:
    """The three parts of a data set.

    Validation is carved from training data and is what every selection looks at; test is touched
    once, at the end.

    Attributes:
        train: training examples, after the fraction was drawn and validation carved out.
        validation: examples for selection; empty if `validation: 0` was asked for.
        test: examples for the final measurement.
        classes: class names, in the order of labels.
        fit: how inputs are brought to the network.
        name: what the data are called in reports.
        augmentation: what training should do to an input of this set.
        workers: processes that load inputs which are not held in memory.
        skipped: unreadable files left out at the user's wish, as (path, reason).
        notes: how the parts came about, one sentence each.
    """

    train: Examples
    validation: Examples
    test: Examples
    classes: tuple[str, ...]
    fit: Any
    name: str
    augmentation: Augmenting = field(default_factory=NoAugmentation)
    workers: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parts = f"train {len(self.train)}, validation {len(self.validation)}, test {len(self.test)}"
        return f"DataSplits({self.name}: {parts}; {len(self.classes)} classes, {self.fit.words})"

    @cached_property
    def digest(self) -> str:
        """`sha256:...` over the membership of all parts, class names, and how inputs are brought to the network.

        Arrays count with their pixels, files with name and content, a user's data set with its files and items.
        """
        digest = hashlib.sha256(repr((self.classes, *self.fit.facts)).encode())
        for part in (self.train, self.validation, self.test):
            digest.update(part.digest().encode())
        return f"sha256:{digest.hexdigest()}"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of images, pixels."""
        return self.fit.size

    @property
    def channels(self) -> int:
        """Channels of images, 1 or 3."""
        return self.fit.channels

    @property
    def target_kind(self) -> str:
        """What examples are labelled with: `class`, a class number an image; `pixels`, one a pixel."""
        return self.train.targets.kind

    @property
    def lacks(self) -> frozenset[str]:
        """What objectives and measures may need that these inputs do not have."""
        return self.train.inputs.lacks

    @property
    def noun(self) -> str:
        """What the inputs are, for messages: `images`."""
        return self.train.inputs.noun

    @property
    def one(self) -> str:
        """What one of the inputs is, for messages: `image`."""
        return self.train.inputs.one

    @property
    def target_words(self) -> str:
        """What such data do, for messages: `labels whole images`, `labels pixels`."""
        return self.train.targets.said_of(self.noun)

    def require_channels(self, channels: int, asker: str = "the network") -> None:
        """Refuse images of another channel count than `asker` takes.

        Raises:
            UserError: the counts differ.
        """
        if self.channels != channels:
            raise UserError(
                f"{self.name}: images have {self.channels} channel{'s' * (self.channels > 1)} but {asker} "
                f"takes {channels}; leave out the data's `channels`, or set `channels: {channels}`"
            )

    def describe(self) -> str:
        """Return what the parts hold and where they come from, one line each."""
        classes = f"{len(self.classes)} classes, " if self.classes else ""
        lines = [
            f"{self.name}: {classes}{self.fit.words}; {len(self.train):,} train, {len(self.validation):,} validation, "
            f"{len(self.test):,} test",
            *self.notes,
        ]
        if self.skipped:
            lines.append(f"{len(self.skipped)} unreadable files were left out, the first one {self.skipped[0][0]}")
        return "\n".join(lines)
