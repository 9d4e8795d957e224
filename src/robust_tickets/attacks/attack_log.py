"""What an attack reports: its progress, and on how many images it saw no gradient."""

from collections.abc import Callable, Sequence
from typing import Self

from pydantic import Field

from robust_tickets.foundation.settings import Settings

PREFIX = "gradient/"
"""Prefix of the names of figures that say what an attack saw of the gradient."""

VANISHED = f"{PREFIX}vanished"
"""Name of the share of attacked images, in [0, 1], whose gradient had vanished at the first step."""


class GradientCounts(Settings):
    """On how many images the gradient of an attack vanished, and what was done about it.

    A gradient has vanished where it is not finite, or no entry of it is a normal number of fp32 (1.2e-38 or more):
    sign and direction of what is left below that are noise. Such an image is no evidence of robustness.
    """

    attacked: int = Field(default=0, description="Images attacked: those classified correctly.")
    at_start: int = Field(default=0, description="Images among these whose gradient had vanished at the first step.")
    throughout: int = Field(default=0, description="Images whose gradient had vanished at every step.")
    retried: int = Field(
        default=0,
        description="Images attacked again under a scale-free loss, the difference-of-logits ratio.",
    )
    recovered: int = Field(default=0, description="Images that fell to that attack.")
    blind: int = Field(
        default=0, description="Images whose gradient also vanished throughout under that loss, and that withstood it."
    )
    probed: int = Field(default=0, description="Images that were then searched without gradients.")
    found: int = Field(default=0, description="Images that fell to that search.")

    @classmethod
    def sum(cls, counts: Sequence[Self]) -> Self:
        """Return the counts of several batches together."""
        return cls(**{name: sum(getattr(one, name) for one in counts) for name in cls.model_fields})

    def share(self, count: int) -> float:
        """Return a count as a share of the images attacked, in [0, 1]; 0 where none was."""
        return count / self.attacked if self.attacked else 0.0

    def figures(self) -> dict[str, float]:
        """Return shares in [0, 1] under the names of measures' figures: `gradient/<what>`.

        Of the images attacked: `vanished` (at the first step), and if any was attacked again, or should have been,
        `throughout`, `recovered` and `blind`; of those searched without gradients: `found`.
        """
        figures = {"vanished": self.vanished}
        if self.retried or self.blind:
            again = {"throughout": self.throughout, "recovered": self.recovered, "blind": self.blind}
            figures |= {name: self.share(count) for name, count in again.items()}
        if self.probed:
            figures["found"] = self.found / self.probed
        return {f"{PREFIX}{name}": share for name, share in figures.items()}

    @property
    def vanished(self) -> float:
        """Share of the attacked images, in [0, 1], whose gradient had vanished at the first step."""
        return self.share(self.at_start)


class AttackLog:
    """Records what an attack reports, batch by batch."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        """`tell` shows a few words on the attack's progress; without it they are not shown."""
        self._tell = tell
        self._counts: list[GradientCounts] = []

    def tell(self, words: str) -> None:
        """Show a few words on the attack's progress."""
        if self._tell is not None:
            self._tell(words)

    def record(self, counts: GradientCounts) -> None:
        """Add the counts of a batch."""
        self._counts.append(counts)

    @property
    def gradients(self) -> GradientCounts | None:
        """The counts of all batches; None of an attack that asks for no gradients. (Others record 0 to begin with.)"""
        return GradientCounts.sum(self._counts) if self._counts else None

    def figures(self) -> dict[str, float]:
        """Return `GradientCounts.figures` of all batches; nothing of an attack that asks for no gradients."""
        return self.gradients.figures() if self.gradients is not None else {}
