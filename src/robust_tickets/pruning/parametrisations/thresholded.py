"""Masks over frozen weights: whatever scores above a threshold, which is reset from time to time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES, SINGLE_PRUNE, SINGLE_WEIGHTS
from robust_tickets.pruning.parametrisations.freezing import freeze
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.scores import Magnitude
from robust_tickets.pruning.select import Selection


class Thresholded(Parametrisation):
    """Weights are frozen and each has a score S that trains; forward uses w * 1[S > threshold of its matrix].

    TAMT (Liu et al., 2022, arXiv 2204.11218): S starts at twice the threshold where one-shot magnitude keeps the
    weight and at 0 elsewhere; the mask passes its gradient on to S unchanged, so dL/dS = dL/d(masked w) * w, without
    the sign that edge-popup multiplies. In between masks drift from their count; every `every` steps each threshold is
    reset so that the count is exact again, in each matrix with scope `layer`, as in the paper. Ties at a threshold are
    drawn without bias.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, SINGLE_PRUNE, SINGLE_WEIGHTS})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    kind: Literal["thresholded"] = "thresholded"
    threshold: float = Field(default=0.01, gt=0, description="First threshold, phi; scores start at 2 phi or 0.")
    every: int = Field(
        default=1000, ge=1, description="Training steps after which thresholds are reset (the paper: 1000, or 100)."
    )
    train_head: bool = Field(
        default=True,
        description="Whether the head trains together with the scores, unless it is pruned too; other biases and norms "
        "never train.",
    )

    def build(
        self,
        network: nn.Module,
        body: nn.Module,
        names: Collection[str],
        *,
        selection: Selection,
        sparsity: float,
        couplings: Sequence[Coupling] = (),
        is_head: Callable[[str], bool] = lambda name: False,
        seed: int = 0,
    ) -> Parametrised:
        """Freeze the network's parameters and wrap it; see `Parametrisation.build`.

        Sets `requires_grad` of the body's parameters: False, but for a head that trains.
        """
        from robust_tickets.pruning.parametrisations.thresholded_network import ThresholdedNetwork

        heads = freeze(body, names, is_head if self.train_head else None)
        weights = {name: body.get_parameter(name).detach() for name in names}
        by_magnitude = selection.model_copy(update={"score": Magnitude()})
        kept = by_magnitude.select(weights, sparsity=sparsity, seed=seed)
        scores = {name: nn.Parameter(2 * self.threshold * kept[name].to(weights[name])) for name in names}
        module = ThresholdedNetwork(network, body, scores, selection, sparsity, self.threshold, self.every, seed)
        return Parametrised(module, {**scores, **heads}, scores, signed=True, before_step=module.before_step)
