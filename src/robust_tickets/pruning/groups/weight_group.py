"""Groups inside single weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.layer_partition import LayerPartition

if TYPE_CHECKING:
    from torch import Tensor


class WeightGroup(Settings, ABC):
    """A box of output channels x input channels x kernel positions of one weight [out, in, *kernel]."""

    scopes: ClassVar[tuple[str, ...]] = ("global", "layer", "erk")

    @abstractmethod
    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return how many output channels, input channels and kernel positions a group spans."""

    @property
    def fixed_sparsity(self) -> float | None:
        """The only sparsity the group allows: None, any will do."""
        return None

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> LayerPartition:
        """Divide every weight; couplings play no part."""
        return LayerPartition(self, weights, masks)
