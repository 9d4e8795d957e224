"""No way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.needs import LAST_WEIGHTS, SHRUNKEN_WEIGHTS
from robust_tickets.pruning.rewinds.rewind_point import RewindPoint

if TYPE_CHECKING:
    from torch import Tensor


class NoRewind(RewindPoint):
    """Continue with the weights as they are; optimiser and schedule still restart with each round."""

    provides: ClassVar[frozenset[str]] = frozenset({LAST_WEIGHTS, SHRUNKEN_WEIGHTS})
    kind: Literal["none"] = "none"

    def describe(self) -> str:
        """Return `none`."""
        return "none"

    def restore(
        self, body: nn.Module, *, start: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None, seed: int
    ) -> None:
        """Leave the weights alone."""
