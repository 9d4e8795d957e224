"""Groups whose weights lie next to each other in memory."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.partitions import LayerPartition, Norm, reduce_rows


class ContiguousGroup(Settings, ABC):
    """`size(shape)` consecutive weights of a row-major tensor [out, in, height, width] or [out, in]."""

    @abstractmethod
    def size(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights in each group of a layer of this shape."""

    @property
    def fixed_sparsity(self) -> float | None:
        """The only sparsity the group allows: none, any will do."""
        return None

    def reduce(self, saliency: Tensor, norm: Norm) -> Tensor:
        """Reduce a non-negative tensor of the weight's shape to [groups], normalised by group size."""
        return reduce_rows(saliency.reshape(-1, self.size(tuple(saliency.shape))), norm)

    def expand(self, kept: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Turn bool [groups] into a bool tensor of the weight's shape."""
        return (
            kept.repeat_interleave(self.size(shape)).reshape(shape)
            if self.size(shape) > 1
            else kept.reshape(shape)
        )

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> LayerPartition:
        """Divide every weight; couplings play no part."""
        return LayerPartition(self, weights, masks)
