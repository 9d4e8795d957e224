"""What every group can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.partitions import Partition

if TYPE_CHECKING:
    from torch import Tensor


class Group(Protocol):
    """What is removed as one."""

    scopes: ClassVar[tuple[str, ...]]
    """Kinds of scope in which it may compete."""

    @property
    def fixed_sparsity(self) -> float | None:
        """The only sparsity the group allows; None where any will do."""
        ...

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
        ...
