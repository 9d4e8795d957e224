"""Back to the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.needs import EARLIER_WEIGHTS
from robust_tickets.pruning.rewinds.rewind_point import RewindPoint

if TYPE_CHECKING:
    from torch import Tensor


class PretrainedRewind(RewindPoint):
    """Back to the source: weights, buffers and head as they were loaded (arXiv 2012.06908)."""

    is_source: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset({EARLIER_WEIGHTS})
    kind: Literal["pretrained"] = "pretrained"

    @property
    def reached(self) -> tuple[float, str]:
        """Return the start."""
        return 0.0, ""

    def describe(self) -> str:
        """Return `source`."""
        return "source"

    def restore(
        self, body: nn.Module, *, start: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None, seed: int
    ) -> None:
        """Load the state before any training."""
        body.load_state_dict(start)
