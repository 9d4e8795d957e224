"""What every rewind can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.lazy import nn
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.needs import NOTHING

if TYPE_CHECKING:
    from torch import Tensor


class RewindPoint(Settings, ABC):
    """Where a network returns to when it is rewound; masks stay in force."""

    provides: ClassVar[frozenset[str]] = NOTHING
    """What other parts of the draw may rely on."""
    is_source: ClassVar[bool] = False
    """Whether the weights there are the source's own, so that those a ticket removed are known too."""

    def kept_step(self, steps_per_epoch: int) -> int | None:
        """Return the training step before which the weights are to be kept for this; None if none are."""
        return None

    @property
    def reached(self) -> tuple[float, str] | None:
        """How far into training it is, and in what that is counted (`steps`, `epochs`, or neither for its start)."""
        return None

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables, such as `step 2000`."""

    @abstractmethod
    def restore(
        self, body: nn.Module, *, start: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None, seed: int
    ) -> None:
        """Put the weights of this point into a network, in place.

        Args:
            body: the network, whose names those of the states are.
            start: its state before any training.
            kept: its state at `kept_step`; None if that step was not reached.
            seed: of the draw.
        """
