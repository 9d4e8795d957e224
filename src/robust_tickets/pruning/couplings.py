"""Channels that live and die together, as plain index data.

A coupling says which slices of which parameters produce the same channel: the filters of every convolution
that writes to one residual stream, with their biases and the scale and shift of the norms behind them. When
all of those are zero the channel's output is exactly zero, so that removing it changes nothing. Finding
couplings needs a network and happens in `models/couplings.py`; selecting among them needs only this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Member:
    """The slices of one parameter that belong to each channel of a coupling."""

    parameter: str
    """Parameter name inside the network's body."""
    dim: int
    """Dimension of the parameter along which channels lie."""
    index: Tensor
    """int64 [channels, k]: the k positions along `dim` that belong to each channel."""
    shape: tuple[int, ...] | None = None
    """Shape of the parameter; None for a vector that ends with its last channel."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """One set of channels that can be removed together."""

    name: str
    """Name of its first producer, unique in the network."""
    channels: int
    producers: tuple[Member, ...]
    """Slices of prunable weights (counted in sparsity)."""
    followers: tuple[Member, ...]
    """Slices of biases and of norm scales and shifts: masked with the channel, not counted in sparsity."""
    readers: tuple[Member, ...] = ()
    """Slices of the weights that read the channel, of all layers that do; empty where that is no slice of a weight."""
    are_heads: bool = False
    """Whether its channels are attention heads, whose queries, keys and values go together."""


def spread(
    values: Mapping[str, Tensor], couplings: Sequence[Coupling], weight_of: Callable[[str], Tensor], elsewhere: float
) -> dict[str, Tensor]:
    """Return, for every weight that produces a channel, that channel's value.

    Args:
        values: by the coupling's name, each [channels], without gradients.
        couplings: of which all have values.
        weight_of: a producer's parameter by its name.
        elsewhere: what weights of the same parameters get that produce no channel.

    Returns:
        By parameter name, in the shape, dtype and on the device of the parameter, in fresh tensors.
    """
    found: dict[str, Tensor] = {}
    for coupling in couplings:
        for member in coupling.producers:
            weight = weight_of(member.parameter)
            known = found.setdefault(member.parameter, torch.full_like(weight, elsewhere, requires_grad=False))
            rows = values[coupling.name].to(weight.device).repeat_interleave(member.index.shape[1])
            index = member.index.flatten().to(weight.device)
            known.movedim(member.dim, 0)[index] = rows.reshape(-1, *[1] * (weight.dim() - 1))
    return found
