"""Coupled channels of convolutions."""

from typing import Literal

from robust_tickets.pruning.groups.coupled_group import CoupledGroup


class Channel(CoupledGroup):
    """Channels that a convolution produces, alone or with others that add to the same sum."""

    kind: Literal["channel"] = "channel"
