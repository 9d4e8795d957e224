"""What every measure has in common: settings with a `kind`, and figures by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure, Sweep

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.measures.evaluation import Evaluation

INPUTS = {"pixel-inputs": "images", "text-inputs": "texts"}
"""What inputs are called that a measure may need."""


class Measure(Settings, ABC):
    """One thing measured besides accuracy; a subclass has a literal `kind`, by which recipes name it.

    It says itself what readers have to know: reports are written from its `title`, from what it says each figure is,
    and from its `sweep`.
    """

    title: ClassVar[str]
    """Heading of its section in reports, which all measures of its kind share."""
    principal: ClassVar[str | None] = None
    """Key of the figure for which the measure's own name stands: measures of the kind then share one table. None: each
    has its own table."""
    needs: ClassVar[frozenset[str]] = frozenset({"image-logits"})
    """What a task must provide for it."""

    @abstractmethod
    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return the figures by key: lower case, stable, parts separated by `/`, as `ece` or `corruption/fog/3`."""

    @abstractmethod
    def figure(self, key: str) -> Figure | None:
        """Return the figure of a key; None for one that tables leave out because it is part of others."""

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables, such as `calibration, 15 bins`."""

    @property
    def sweep(self) -> Sweep | None:
        """The chart that its figures make; None: none."""
        return None

    @property
    def most_images(self) -> int | None:
        """The largest number of images on which it is taken; None: all."""
        return getattr(self, "limit", None)

    def shared_images(self, decided: Evaluation, labels: Sequence[int]) -> list[int] | None:
        """Return the images on which its robust accuracy can be compared with that of the attack used for the decision.

        Args:
            decided: the evaluation under whose attack a verdict is reached.
            labels: of all images.

        Returns:
            Places among the images that `decided` attacks; None: it attacks none, or in another ball.
        """
        return None

    @property
    def gradient_free(self) -> bool | None:
        """Whether its attack searches directly on what is measured, without gradients; None: it does not attack."""
        return None

    def require(self) -> None:
        """Refuse what this installation lacks, before anything is trained.

        Raises:
            UserError: names what is missing and where it comes from.
        """

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse what cannot be measured on these data, before anything is trained.

        Args:
            splits: the target, at the network's size and channels.
            provides: what its task provides.
            classes: how many the network tells apart.

        Raises:
            UserError: what does not fit, and what would.
        """
        missing = self.needs - provides
        for needed, wanted in INPUTS.items():
            if needed in missing:
                raise UserError(f"{splits.name}: contains {splits.noun}, but {self.describe()} is for {wanted}")
        if missing:
            raise UserError(
                f"{splits.name}: {splits.target_words}, but measures need one label per {splits.one} "
                f"({self.describe()}); leave them out"
            )

    def is_whole(self, figures: dict[str, float]) -> bool:
        """Say whether stored figures contain all that this version measures; otherwise they are measured again."""
        return True

    def reads(self) -> tuple[Path, ...]:
        """Return the files and folders that the figures depend on besides the network and its own images."""
        return ()


def by_name(measures: Sequence[Measure]) -> dict[str, Measure]:
    """Return measures by their descriptions; those with the same description are numbered."""
    named: dict[str, Measure] = {}
    for asked in measures:
        name, number = asked.describe(), 2
        while name in named:
            name, number = f"{asked.describe()} ({number})", number + 1
        named[name] = asked
    return named
