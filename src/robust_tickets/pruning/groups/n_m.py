"""N of every M consecutive weights kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups.element import Element
from robust_tickets.pruning.groups.group import Group
from robust_tickets.pruning.layer_partition import Box, LayerPartition, require_division
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.partitions import Norm, PruningUnit

if TYPE_CHECKING:
    from torch import Tensor


class NM(Group):
    """Keep the N best of every M consecutive inputs, for each output and kernel position (2:4 and kin).

    Consecutive along the input channels, the layout sparse tensor cores read (Mishra et al., 2021, arXiv
    2104.08378). Fixes the sparsity at 1 - N/M; a layer whose inputs do not divide by M is refused.
    """

    scopes: ClassVar[tuple[str, ...]] = ("layer",)
    kind: Literal["n-m"] = "n-m"
    n: int = Field(default=2, ge=1, description="Weights kept out of every M.")
    m: int = Field(default=4, ge=2, description="Length of a run of input channels.")

    @model_validator(mode="after")
    def _keeps_fewer_than_all(self) -> NM:
        if self.n >= self.m:
            raise ValueError(f"n-m keeps n={self.n} of m={self.m} weights; n must be below m")
        return self

    @property
    def fixed_sparsity(self) -> float:
        """1 - N/M."""
        return 1.0 - self.n / self.m

    def partition(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None, couplings: Sequence[Coupling]
    ) -> NMPartition:
        """Divide every weight; couplings play no part."""
        return NMPartition(self.n, self.m, weights, masks)


class NMPartition:
    """Single weights, scored by rank in their run of M: the lowest M - N ranks are 1 - N/M of a layer."""

    def __init__(
        self, n: int, m: int, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> None:
        """Divide all weights.

        Raises:
            UserError: a weight's inputs do not divide by m.
        """
        self._n, self._m = n, m
        require_division(weights, lambda shape: (1, m, 1))
        self._runs = {name: Box(tuple(weight.shape), (1, m, 1)) for name, weight in weights.items()}
        self._elements = LayerPartition(Element(), weights, masks)
        self.units: Mapping[str, PruningUnit] = self._elements.units
        self.remaining: Mapping[str, Tensor] = self._elements.remaining

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """See `Partition`."""
        return self._elements.reduce(saliencies, norm)

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """See `Partition`: replaces each score by its rank, 0 to M-1, within its run.

        Raises:
            ValueError: the present masks keep fewer than N of a run.
        """
        ranks = {}
        for name, score in self._elements.contest(scores, seed).items():
            box = self._runs[name]
            shape = self.units[name].shape
            rows = box.rows(score.reshape(shape))
            if int((rows == -math.inf).sum(1).max()) > self._m - self._n:
                raise ValueError(f"the masks of {name} keep fewer than {self._n} of {self._m} somewhere")
            order = self._ascending(rows, generator(seed, "ties", name))
            places = torch.arange(self._m, device=rows.device, dtype=torch.float32).expand(rows.shape)
            rank = torch.empty(rows.shape, device=rows.device).scatter_(1, order, places)
            ranks[name] = box.restore(rank).reshape(-1)
        return ranks

    def _ascending(self, rows: Tensor, ties: torch.Generator) -> Tensor:
        """Return the order of each row [runs, M], lowest first; ties at the threshold fall anywhere."""
        values, order = rows.sort(dim=1)
        first_kept = self._m - self._n
        tied = (values[:, first_kept - 1] == values[:, first_kept]).nonzero().squeeze(1)
        if len(tied):
            shuffle = torch.rand(len(tied), self._m, generator=ties).to(rows.device).argsort(1)
            order[tied] = shuffle.gather(1, rows[tied].gather(1, shuffle).argsort(dim=1, stable=True))
        return order

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """See `Partition`."""
        return self._elements.expand(kept)
