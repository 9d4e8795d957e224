"""Channels that live and die together, as plain index data.

A coupling says which slices of which parameters produce the same channel: the filters of every convolution
that writes to one residual stream, with their biases and the scale and shift of the norms behind them. When
all of those are zero the channel's output is exactly zero, so that removing it changes nothing. Finding
couplings needs a network and happens in `models/couplings.py`; selecting among them needs only this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
