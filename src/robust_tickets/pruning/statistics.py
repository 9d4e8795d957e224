"""What a score may know beyond the weights."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor


class Statistics(Protocol):
    """Provider of what training or data say about weights. It knows where that comes from; scores do not."""

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return the scores a parametrisation has learned, each of its weight's shape."""
        ...
