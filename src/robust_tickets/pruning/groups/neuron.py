"""Coupled outputs of linear layers."""

from typing import ClassVar, Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup, CoupledKind


class Neuron(CoupledGroup):
    """Outputs of linear layers: hidden neurons."""

    takes: ClassVar[tuple[CoupledKind, ...]] = ("neuron",)
    kind: Literal["neuron"] = "neuron"
