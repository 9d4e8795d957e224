"""Coupled channels of convolutions."""

from typing import ClassVar, Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup, CoupledKind


class Channel(CoupledGroup):
    """Channels that a convolution produces, alone or with others that add to the same sum."""

    takes: ClassVar[tuple[CoupledKind, ...]] = ("channel",)
    kind: Literal["channel"] = "channel"
