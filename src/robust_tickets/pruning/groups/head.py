"""Attention heads."""

from typing import ClassVar, Literal

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class AttentionHead(CoupledGroup):
    """Attention heads: queries, keys and values of a head together (Michel et al., 2019, arXiv 1905.10650)."""

    noun: ClassVar[str] = "attention head"
    kind: Literal["head"] = "head"

    def takes(self, coupling: Coupling, dims: frozenset[int]) -> bool:
        """Take heads."""
        return coupling.are_heads
