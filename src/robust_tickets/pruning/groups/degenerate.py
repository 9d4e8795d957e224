"""Where a structured group is no structure at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from robust_tickets.pruning.groups.group import Group

if TYPE_CHECKING:
    from torch import Tensor


def degenerate_layers(group: Group, weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Name the weights in which a group of this kind is a single weight.

    Row and kernel of 1x1 convolutions and of linear layers, for example; on a ResNet-50 most layers. A report
    that says "kernel-wise" has to say this too. Element-wise groups are what they claim, so nothing is named.
    """
    return tuple(name for name, weight in weights.items() if group.is_degenerate(tuple(weight.shape)))
