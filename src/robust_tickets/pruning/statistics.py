"""What a score may know beyond the weights."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor


class Statistics(Protocol):
    """Provider of data-dependent tensors, each of its weight's shape. It knows the data; scores do not."""

    def gradients(self) -> Mapping[str, Tensor]:
        """Return dense, unmasked gradients of the objective with respect to every prunable weight."""
        ...

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return the scores a parametrisation has learned, one tensor per prunable weight."""
        ...
