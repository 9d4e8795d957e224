"""How weights are divided into units, and units into groups.

A unit is where groups live: a layer, or a coupling of several. Scopes count and compare groups by unit; a
partition translates between tensors of weights and one score, or one decision, per group.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.masks import Masks, full

Norm = Literal["l1", "l2"]
"""How |score| is reduced over a group: mean (L1) or root mean square (L2)."""


@dataclass(frozen=True)
class Unit:
    """A layer or coupling, as scopes see it."""

    shape: tuple[int, ...]
    """Shape of its weight; of its first producer, for a coupling."""
    groups: int
    remaining: int
    """How many of its groups the present masks keep."""


class Partition(Protocol):
    """The groups of one choice of group over one set of weights."""

    @property
    def units(self) -> Mapping[str, Unit]:
        """Every unit whose groups may be removed, by name."""
        ...

    @property
    def remaining(self) -> Mapping[str, Tensor]:
        """For units of which something is removed already: bool [groups], True = still there."""
        ...

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """Reduce non-negative tensors of the weights' shapes to scores [groups], normalised by group size."""
        ...

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """Apply the group's own rules to the scores [groups], in place where that saves memory.

        Groups removed already get -inf, groups that must stay +inf.
        """
        ...

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """Turn decisions bool [groups] into masks, all of them full where there is no unit."""
        ...


class WeightGroup(Protocol):
    """A group inside single weights."""

    @property
    def kind(self) -> str:
        """Name of the group."""
        ...

    def size(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights in each group of a layer of this shape."""
        ...

    def reduce(self, saliency: Tensor, norm: Norm) -> Tensor:
        """Reduce a non-negative tensor of the weight's shape to [groups], normalised by group size."""
        ...

    def expand(self, kept: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Turn bool [groups] into a bool tensor of the weight's shape."""
        ...


def reduce_rows(matrix: Tensor, norm: Norm) -> Tensor:
    """Reduce a non-negative [groups, size] to [groups]: the mean (L1) or the root mean square (L2)."""
    if matrix.shape[1] == 1:
        return matrix.squeeze(1)
    # Float64: a group's score must not depend on the order of summation, hence not on the number of threads.
    if norm == "l1":
        return matrix.mean(1, dtype=torch.float64)
    return matrix.to(torch.float64).square().mean(1).sqrt()


class LayerPartition:
    """Groups inside single weights; each weight is a unit."""

    def __init__(
        self,
        group: WeightGroup,
        weights: Mapping[str, Tensor],
        masks: Mapping[str, Tensor] | None = None,
        exempt: frozenset[str] = frozenset(),
    ) -> None:
        """Divide every weight that is not exempt.

        Raises:
            UserError: the present masks cut through a group.
        """
        self._group = group
        self._weights = weights
        self.units: dict[str, Unit] = {}
        self.remaining: dict[str, Tensor] = {}
        for name, weight in weights.items():
            if name in exempt:
                continue
            shape = tuple(weight.shape)
            groups = math.prod(shape) // group.size(shape)
            remaining = groups
            if masks is not None and not bool(masks[name].all()):
                still_there = group.reduce(masks[name].to(weight.device, torch.float32), "l1") > 0
                if not torch.equal(group.expand(still_there, shape), masks[name].to(weight.device)):
                    raise UserError(
                        f"the masks of {name} were not drawn in groups of kind {group.kind!r}; "
                        "go on with the group they were drawn in, or start without masks"
                    )
                self.remaining[name] = still_there
                remaining = int(torch.count_nonzero(still_there))
            self.units[name] = Unit(shape, groups, remaining)

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """See `Partition`."""
        return {name: self._group.reduce(saliencies[name], norm) for name in self.units}

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """See `Partition`."""
        for name, still_there in self.remaining.items():
            scores[name].masked_fill_(~still_there, -math.inf)
        return scores

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """See `Partition`."""
        untouched = {name: weight for name, weight in self._weights.items() if name not in self.units}
        masks = {name: self._group.expand(kept[name], unit.shape) for name, unit in self.units.items()}
        return {name: (masks | full(untouched))[name] for name in self._weights}
