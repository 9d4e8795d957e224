"""What a score may know besides the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Statistics(Protocol):
    """Provider of what training or data say about weights. It knows where that comes from; scores do not."""

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return what a parametrisation has learned, in fresh tensors of the weights' shapes: the lowest go first."""
        ...
