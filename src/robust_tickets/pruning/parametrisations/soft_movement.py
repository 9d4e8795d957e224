"""Weights and masks train together, and the loss pays for scores above a threshold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES, SINGLE_PRUNE, SINGLE_WEIGHTS, TRAINING
from robust_tickets.pruning.parametrisations.movement import beside_weights
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class SoftMovement(Parametrisation):
    """Weights train, and so does a score S of each; forward uses w * 1[sigmoid(S) > tau].

    Soft movement pruning (Sanh, Wolf and Rush, 2020, arXiv 2005.07683): gradients are those of `movement`, S starts at
    0, and the loss gains lambda times the mean of sigmoid(S). tau and lambda rise from 0 along the cubic
    1 - (1 - t)^3. No count is kept meanwhile: lambda decides how much is removed, and what the ticket's exact count
    asks for beyond that is removed at the end, by S. Removed weights keep their values and may come back until then.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, SINGLE_PRUNE, SINGLE_WEIGHTS, TRAINING})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    kind: Literal["soft-movement"] = "soft-movement"
    threshold: float = Field(default=0.1, gt=0, lt=1, description="tau at its end, in (0, 1).")
    penalty: float = Field(default=1.0, ge=0, description="lambda at its end: what the loss pays for mean sigmoid(S).")
    delay: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the training before tau and lambda start to rise, in [0, 1)."
    )
    hold: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the training, at its end, in which they stay, in [0, 1)."
    )
    lr: float = Field(default=0.01, gt=0, description="Peak learning rate of the scores; they do not decay.")

    @model_validator(mode="after")
    def _rises(self) -> SoftMovement:
        if self.delay + self.hold >= 1:
            raise ValueError(f"soft-movement needs delay + hold below 1, not {self.delay:g} + {self.hold:g}")
        return self

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
        """Wrap the network, all of whose parameters train; see `Parametrisation.build`."""
        from robust_tickets.pruning.parametrisations.soft_movement_network import SoftMovementNetwork

        scores = {name: nn.Parameter(torch.zeros_like(body.get_parameter(name))) for name in names}
        module = SoftMovementNetwork(network, body, scores, self)
        made = beside_weights(module, body, scores, self.lr)
        return replace(made, before_step=module.before_step, penalty=module.penalty if self.penalty else None)

    def risen(self, progress: float) -> float:
        """Return how far tau and lambda have risen, in [0, 1], when this share of the training is done."""
        left = 1 - (progress - self.delay) / (1 - self.delay - self.hold)
        return 1 - min(1.0, max(0.0, left)) ** 3
