"""Attention heads."""

from typing import Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class AttentionHead(CoupledGroup):
    """Attention heads: queries, keys and values of a head together (Michel et al., 2019, arXiv 1905.10650)."""

    kind: Literal["head"] = "head"
