"""Attention heads."""

from typing import ClassVar, Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup, CoupledKind


class AttentionHead(CoupledGroup):
    """Attention heads: queries, keys and values of a head together (Michel et al., 2019, arXiv 1905.10650)."""

    takes: ClassVar[tuple[CoupledKind, ...]] = ("head",)
    kind: Literal["head"] = "head"
