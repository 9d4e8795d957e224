"""Gates over frozen weights, learned through noise and an expected number of open ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES, SINGLE_PRUNE, TRAINING
from robust_tickets.pruning.parametrisations.freezing import freeze
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection

LOW, HIGH = -0.1, 1.1
"""gamma and zeta: a gate is stretched to this interval before it is clipped to [0, 1]."""


class HardConcrete(Parametrisation):
    """Weights are frozen and each has a gate in [0, 1], of which log alpha trains; the loss pays for open gates.

    Hard concrete gates (Louizos, Welling and Kingma, 2018, arXiv 1712.01312), as Robust Lottery Tickets learn them
    (Zheng et al., 2022, arXiv 2211.03013): in training m = clip(s (zeta - gamma) + gamma, 0, 1) with
    s = sigmoid((logit u + log alpha) / beta) and u uniform; in evaluation s = sigmoid(log alpha). The loss gains
    lambda times the mean of P(m > 0) = sigmoid(log alpha - beta log(-gamma / zeta)) over all weights.

    One u is drawn for every weight and training step, from a stream that seed and step address; attacks on training
    inputs see the gates of evaluation. Tickets are drawn by log alpha at the end, at their exact counts: one training
    gives those of all sparsities asked for.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, SINGLE_PRUNE, TRAINING})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    learns_once: ClassVar[bool] = True
    kind: Literal["hard-concrete"] = "hard-concrete"
    open: float = Field(default=0.9, gt=0, lt=1, description="Every gate in evaluation before training, in (0, 1).")
    penalty: float = Field(
        default=0.5, ge=0, description="lambda: what the loss pays for the expected share of open gates."
    )
    delay: float = Field(
        default=0.1, ge=0, le=1, description="Share of the training before lambda starts to rise from 0, in [0, 1]."
    )
    warmup: float = Field(
        default=0.3, ge=0, le=1, description="Share of the training in which lambda rises linearly, in [0, 1]."
    )
    train_head: bool = Field(
        default=True,
        description="Whether the head trains together with the gates, unless it is pruned too; other biases and norms "
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
        from robust_tickets.pruning.parametrisations.gated_network import GatedNetwork

        heads = freeze(body, names, is_head if self.train_head else None)
        start = (self.open - LOW) / (HIGH - LOW)
        log_alpha = {
            name: nn.Parameter(torch.full_like(body.get_parameter(name), math.log(start / (1 - start))).detach())
            for name in names
        }
        module = GatedNetwork(network, body, log_alpha, self.weight_of_penalty, seed)
        return Parametrised(
            module,
            {**log_alpha, **heads},
            log_alpha,
            signed=True,
            before_step=module.before_step,
            penalty=module.penalty if self.penalty else None,
        )

    def weight_of_penalty(self, progress: float) -> float:
        """Return lambda when this share of the training steps is done: 0, then a line, then its full size."""
        if progress < self.delay:
            return 0.0
        return self.penalty * (min(1.0, (progress - self.delay) / self.warmup) if self.warmup else 1.0)
