"""Groups inside single weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.group import Group
from robust_tickets.pruning.layer_partition import LayerPartition, wide

if TYPE_CHECKING:
    from torch import Tensor


class WeightGroup(Group):
    """A box of output channels x input channels x kernel positions of one weight [out, in, *kernel]."""

    scopes: ClassVar[tuple[str, ...]] = ("global", "layer", "erk")
    is_exchangeable: ClassVar[bool] = True

    @abstractmethod
    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return how many output channels, input channels and kernel positions a group spans."""

    def is_degenerate(self, shape: tuple[int, ...]) -> bool:
        """Return whether the box is one weight large."""
        return math.prod(self.extent(wide(shape))) == 1

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> LayerPartition:
        """Divide every weight; couplings play no part."""
        return LayerPartition(self, weights, masks)
