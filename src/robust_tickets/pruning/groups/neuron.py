"""Coupled outputs of linear layers."""

from typing import ClassVar, Literal

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class Neuron(CoupledGroup):
    """Outputs of linear layers: hidden neurons."""

    noun: ClassVar[str] = "neuron"
    kind: Literal["neuron"] = "neuron"

    def takes(self, coupling: Coupling, dims: frozenset[int]) -> bool:
        """Take couplings all of whose producers are linear layers, other than heads."""
        return dims == {2} and not coupling.are_heads
