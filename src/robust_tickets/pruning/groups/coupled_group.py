"""Groups that are removed together with everything that depends on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.coupling_partition import CouplingPartition
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.group import Group
from robust_tickets.pruning.needs import COUPLED_GROUPS

if TYPE_CHECKING:
    from torch import Tensor

CoupledKind = Literal["channel", "neuron", "head"]
"""What a coupling may consist of."""

NOUNS = {"head": "attention head"}
"""What kinds are called in messages, where their name alone would mislead."""


class CoupledGroup(Group):
    """Channels with their biases, norms and everything added to the same sum; a removed one is exactly 0."""

    # ERK is defined by the shape of one layer, and a coupling has several.
    scopes: ClassVar[tuple[str, ...]] = ("global", "layer")
    is_coupled: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset({COUPLED_GROUPS})
    takes: ClassVar[tuple[CoupledKind, ...]] = ()

    @property
    def kinds(self) -> tuple[CoupledKind, ...]:
        """Return which couplings it takes."""
        return self.takes

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> CouplingPartition:
        """Divide along those couplings all of whose producers are prunable.

        Raises:
            UserError: there are none.
        """
        kinds = {
            coupling.name: kind_of(coupling, weights)
            for coupling in couplings
            if all(member.parameter in weights for member in coupling.producers)
        }
        found = [coupling for coupling in couplings if kinds.get(coupling.name) in self.kinds]
        if not found:
            nouns = " or ".join(NOUNS.get(kind, kind) for kind in self.kinds)
            raise UserError(f"no {nouns} of this network can be removed exactly; use group 'element' or 'filter'")
        return CouplingPartition(found, weights, masks, kinds)


def kind_of(coupling: Coupling, weights: Mapping[str, Tensor]) -> CoupledKind:
    """Return what a coupling consists of: heads, channels that a convolution takes part in, or neurons."""
    if coupling.are_heads:
        return "head"
    return "channel" if any(weights[member.parameter].dim() > 2 for member in coupling.producers) else "neuron"
