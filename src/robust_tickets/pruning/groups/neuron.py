"""Coupled outputs of linear layers."""

from typing import Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class Neuron(CoupledGroup):
    """Outputs of linear layers: hidden neurons."""

    kind: Literal["neuron"] = "neuron"
