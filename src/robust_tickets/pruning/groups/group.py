"""What every group can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import NOTHING
from robust_tickets.pruning.partitions import Partition

if TYPE_CHECKING:
    from torch import Tensor


class Group(Settings, ABC):
    """The unit of removal."""

    provides: ClassVar[frozenset[str]] = NOTHING
    scopes: ClassVar[tuple[str, ...]]
    """Kinds of scope in which it may compete."""
    usual_scope: ClassVar[str] = "layer"
    """The scope in which it competes by default."""
    is_coupled: ClassVar[bool] = False
    """Whether a group spans several layers, so that one has to know which channels belong together."""
    is_exchangeable: ClassVar[bool] = False
    """Whether a kept group and a removed one of the same layer may change places."""

    @property
    def fixed_sparsity(self) -> float | None:
        """The only sparsity the group allows; None if any will do."""
        return None

    def is_degenerate(self, shape: tuple[int, ...]) -> bool:
        """Return whether a group, which claims more, is a single weight in a tensor of this shape."""
        return False

    @abstractmethod
    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> Partition:
        """Divide weights into groups.

        Args:
            weights: every prunable weight, by parameter name.
            masks: the present masks; None keeps everything.
            couplings: channels that live and die together; only coupled groups read them.

        Raises:
            UserError: a weight cannot be divided, or the present masks cut through a group.
        """
