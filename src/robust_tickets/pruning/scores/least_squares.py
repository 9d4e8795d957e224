"""Optimal Brain Surgeon layer by layer: outputs of each layer are to change least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.pruning.least_squares import damped, inverse_diagonal, refitted
from robust_tickets.pruning.needs import EXAMPLES
from robust_tickets.pruning.partitions import Partition
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor


class LeastSquares(Score):
    """w^2 / (2 [H^-1]_pp), H the second moments of a layer's inputs: by how much its output changes (squared error).

    As in Optimal Brain Compression (Frantar & Alistarh, 2022, arXiv 2208.11580) and SparseGPT (2301.00774), rows share
    H. Which weights go is decided at once; with `compensate` the others of each row are then the exact least-squares
    fit, where SparseGPT goes from column to column. All layers see the dense network's inputs. A group counts as the
    mean of its weights.
    """

    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    scopes: ClassVar[tuple[str, ...] | None] = ("layer", "erk", "global")
    kind: Literal["least-squares"] = "least-squares"
    examples: int = Field(default=128, ge=1, description="Training examples on which inputs are measured.")
    damping: float = Field(default=0.01, gt=0, description="Added to H's diagonal, as a share of its mean.")
    compensate: bool = Field(default=True, description="Whether the weights that stay are refitted.")

    @property
    def compensates(self) -> bool:
        """Return whether weights move."""
        return self.compensate

    def group_scores(
        self, weights: Mapping[str, Tensor], partition: Partition, statistics: Statistics | None, seed: int
    ) -> dict[str, Tensor]:
        """Return the mean change of the outputs over each group."""
        found: dict[str, Tensor] = {}
        given = self.moments(statistics)
        for name, weight in weights.items():
            inverse = inverse_diagonal(given[name])[:, None, :]
            rows = weight.detach().double().reshape(len(inverse), -1, inverse.shape[-1])
            found[name] = (rows**2 / (2 * inverse)).reshape(weight.shape)
        return partition.reduce(found, "l1")

    def compensated(
        self,
        weights: Mapping[str, Tensor],
        before: Mapping[str, Tensor],
        after: Mapping[str, Tensor],
        statistics: Statistics,
        seed: int,
    ) -> Mapping[str, Tensor] | None:
        """Return each row's least-squares fit to what it computed."""
        if not self.compensate:
            return None
        moved: dict[str, Tensor] = {}
        given = self.moments(statistics)
        for name, weight in weights.items():
            moments, shape = given[name], (len(given[name]), -1, given[name].shape[-1])
            fitted = refitted(weight.detach().double().reshape(shape), after[name].reshape(shape), moments)
            moved[name] = fitted.reshape(weight.shape).to(weight.dtype)
        return moved

    def moments(self, statistics: Statistics | None) -> dict[str, Tensor]:
        """Return H of each layer, damped."""
        assert statistics is not None
        return {name: damped(one, self.damping) for name, one in statistics.input_moments(self.examples).items()}
