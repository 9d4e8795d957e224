"""What every measure has in common: settings with a `kind`, and figures by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.examinee import Examinee

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits


class Measure(Settings, ABC):
    """One thing measured beside accuracy; a subclass has a literal `kind`, by which recipes name it."""

    @abstractmethod
    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return the figures by name: lower case, stable, told apart by `/`, such as `ece` or `corruption/fog/3`."""

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables, such as `calibration, 15 bins`."""

    def require(self) -> None:
        """Refuse what this installation does not have, before anything is trained.

        Raises:
            UserError: names what is missing and where it comes from.
        """

    def require_for(self, splits: DataSplits, classes: int) -> None:
        """Refuse what cannot be measured on these data, before anything is trained.

        Args:
            splits: the target, at the network's size and channels.
            classes: how many the network tells apart.

        Raises:
            UserError: what does not fit, and what would.
        """
        if splits.labels_pixels:
            raise UserError(
                f"{splits.name}: labels pixels, and measures are of whole images ({self.describe()}); leave them out"
            )

    def is_whole(self, figures: dict[str, float]) -> bool:
        """Say whether figures that were kept hold all that this version measures; else they are measured again."""
        return True

    def reads(self) -> tuple[Path, ...]:
        """Return the files and folders that the figures depend on beside the network and its own images."""
        return ()


def provided_by(splits: DataSplits) -> tuple[str, frozenset[str]]:
    """Return what data label, in words, and what their task provides to attacks."""
    if splits.labels_pixels:
        return "labels pixels", frozenset({"loss", "logits"})
    return "labels whole images", frozenset({"loss", "logits", "image-logits"})


def by_name(measures: Sequence[Measure]) -> dict[str, Measure]:
    """Return measures by their descriptions; those that are described alike are numbered."""
    named: dict[str, Measure] = {}
    for asked in measures:
        name, number = asked.describe(), 2
        while name in named:
            name, number = f"{asked.describe()} ({number})", number + 1
        named[name] = asked
    return named
