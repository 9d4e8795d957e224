"""Groups that are removed together with everything that depends on them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.coupling_partition import CouplingPartition
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.group import Group

if TYPE_CHECKING:
    from torch import Tensor


class CoupledGroup(Group):
    """Channels with their biases, norms and everything added to the same sum; a removed one is exactly 0."""

    # ERK is defined by the shape of one layer, and a coupling has several.
    scopes: ClassVar[tuple[str, ...]] = ("global", "layer")
    is_coupled: ClassVar[bool] = True
    noun: ClassVar[str]

    @abstractmethod
    def takes(self, coupling: Coupling, dims: frozenset[int]) -> bool:
        """Tell whether a coupling belongs to this group; `dims` are its producers' numbers of dimensions."""

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> CouplingPartition:
        """Divide along those couplings all of whose producers are prunable.

        Raises:
            UserError: there are none.
        """
        found = [
            coupling
            for coupling in couplings
            if all(member.parameter in weights for member in coupling.producers)
            and self.takes(coupling, frozenset(weights[member.parameter].dim() for member in coupling.producers))
        ]
        if not found:
            raise UserError(f"no {self.noun} of this network can be removed exactly; use group 'element' or 'filter'")
        return CouplingPartition(found, weights, masks)
