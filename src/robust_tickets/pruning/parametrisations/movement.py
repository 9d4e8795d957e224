"""Weights and masks train together: what moves away from zero is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LAST_TICKET, LEARNED_SCORES, READS_LEARNED_SCORES, TRAINING
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection

SCORE = "score of {}"
"""The name of a weight's score beside the weight, where both train."""


class Movement(Parametrisation):
    """Weights train, and so does a score S of each; forward uses w * 1[S among the highest].

    First-order movement pruning (Sanh, Wolf and Rush, 2020, arXiv 2005.07683): the mask passes its gradient on to S
    unchanged, so that gradient descent accumulates S = -rate * sum of dL/d(masked w) * w (equation 6), starting at 0.
    The mask is selected again before every step, at the sparsity that the timeline has reached; removed weights keep
    their values and may come back until the ticket. The paper's timeline is `gradual`.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, LAST_TICKET, TRAINING})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    kind: Literal["movement"] = "movement"
    lr: float = Field(default=0.01, gt=0, description="Peak learning rate of the scores; they do not decay.")

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
        from robust_tickets.pruning.parametrisations.movement_network import MovementNetwork

        scores = {name: nn.Parameter(torch.zeros_like(body.get_parameter(name))) for name in names}
        module = MovementNetwork(network, body, scores, selection, couplings, seed)
        made = beside_weights(module, body, scores, self.lr)
        return replace(made, before_step=module.before_step)


def beside_weights(module: nn.Module, body: nn.Module, scores: dict[str, nn.Parameter], lr: float) -> Parametrised:
    """Return a network, called as `module`, of which all weights train and, at a rate of their own, a score of each."""
    beside = {SCORE.format(name): score for name, score in scores.items()}
    trainable = {**dict(body.named_parameters()), **beside}
    return Parametrised(module, trainable, scores, signed=True, revives=True, rates=dict.fromkeys(beside, lr))
