"""How weights are divided into units, and units into groups.

A unit is where groups live: a layer, or a coupling of several. Scopes count and compare groups by unit; a
partition translates between tensors of weights and one score, or one decision, per group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from robust_tickets.foundation.lazy import torch
from robust_tickets.pruning.masks import Masks

if TYPE_CHECKING:
    from torch import Tensor

Norm = Literal["l1", "l2"]
"""How scores are reduced over a group: mean (L1) or root mean square (L2), so that size does not matter."""


@dataclass(frozen=True)
class PruningUnit:
    """A layer or coupling, as scopes see it."""

    shape: tuple[int, ...]
    """Shape of its weight; of its first producer, for a coupling."""
    groups: int
    remaining: int
    """How many of its groups the present masks keep."""
    kind: str = ""
    """Of a coupling, what its groups are: channel, neuron or head."""


class Partition(Protocol):
    """The groups of one kind over one set of weights."""

    @property
    def units(self) -> Mapping[str, PruningUnit]:
        """Every unit whose groups may be removed, by name."""
        ...

    @property
    def remaining(self) -> Mapping[str, Tensor]:
        """For units that have already lost groups: bool [groups], True = still there."""
        ...

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """Reduce tensors of the weights' shapes to scores [groups] of each unit; squares keep their sign."""
        ...

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """Apply the group's own rules to scores [groups]; the tensors given may be overwritten.

        Groups removed already get -inf, groups that must stay +inf.
        """
        ...

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """Turn decisions bool [groups] of each unit into masks."""
        ...


def reduce_rows(matrix: Tensor, norm: Norm) -> Tensor:
    """Reduce [groups, size] to [groups]; groups of one weight are passed through."""
    if matrix.shape[1] == 1:
        return matrix.squeeze(1)
    # Float64: a group's score must not depend on the order of summation, so not on the number of threads.
    if norm == "l1":
        return matrix.mean(1, dtype=torch.float64)
    return signed_root(signed_square(matrix.to(torch.float64)).mean(1))


def signed_square(values: Tensor) -> Tensor:
    """Return x |x|: the square, with the sign of x."""
    return values * values.abs()


def signed_root(values: Tensor) -> Tensor:
    """Undo `signed_square`."""
    return values.abs().sqrt().copysign(values)
