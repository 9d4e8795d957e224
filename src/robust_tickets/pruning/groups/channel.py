"""Coupled channels of convolutions."""

from typing import ClassVar, Literal

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class Channel(CoupledGroup):
    """Channels that a convolution produces, alone or with others that add to the same sum."""

    noun: ClassVar[str] = "channel"
    kind: Literal["channel"] = "channel"

    def takes(self, coupling: Coupling, dims: frozenset[int]) -> bool:
        """Take couplings with a convolution among their producers."""
        return max(dims) > 2 and not coupling.are_heads
