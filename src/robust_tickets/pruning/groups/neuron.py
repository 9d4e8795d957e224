"""Coupled outputs of linear layers."""

from typing import ClassVar, Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class Neuron(CoupledGroup):
    """Outputs of linear layers: hidden neurons."""

    noun: ClassVar[str] = "neuron"
    kind: Literal["neuron"] = "neuron"

    def takes(self, dims: frozenset[int]) -> bool:
        """Take couplings all of whose producers are linear layers."""
        return dims == {2}
