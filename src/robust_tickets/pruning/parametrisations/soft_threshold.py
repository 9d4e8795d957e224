"""Weights train through a soft threshold, one for each layer, that trains too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import (
    LEARNED_SCORES,
    READS_LEARNED_SCORES,
    SHRUNKEN_WEIGHTS,
    SINGLE_PRUNE,
    SINGLE_WEIGHTS,
    TRAINING,
)
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection

THRESHOLD = "threshold of {}"
"""The name of a weight's s beside the weight."""


class SoftThreshold(Parametrisation):
    """Weights train, and so does a number s of each layer; forward uses sign(w) relu(|w| - sigmoid(s)).

    STR (Kusupati et al., 2020, arXiv 2002.03231, equation 2): the gradient of s is -sigmoid'(s) times the sum of
    dL/dw' sign(w) over the weights above the threshold, and weights below it get none. s starts far below 0, where the
    threshold is 0, and weight decay pulls it towards 0: that alone makes a network sparse, so s decays as weights do.

    How sparse it becomes is decided by training. Without a sparsity, the ticket removes what lies below the thresholds;
    with one, it keeps its exact count of the highest |w| - sigmoid(s), some of them at zero if training went further.
    The ticket's weights are those of the forward pass.
    """

    needs: ClassVar[frozenset[str]] = frozenset(
        {READS_LEARNED_SCORES, SINGLE_PRUNE, SINGLE_WEIGHTS, TRAINING, SHRUNKEN_WEIGHTS}
    )
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    says_sparsity: ClassVar[bool] = True
    kind: Literal["soft-threshold"] = "soft-threshold"
    start: float = Field(
        default=-3200.0,
        lt=0,
        description="s before training; the further below 0, the later weights begin to go (the paper's ResNet-50: "
        "-3200).",
    )
    decay: float | None = Field(
        default=None,
        ge=0,
        description="Weight decay of s; absent: as weights have it (the paper's way to more or less sparsity).",
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
        """Wrap the network, all of whose parameters train; see `Parametrisation.build`."""
        from robust_tickets.pruning.parametrisations.soft_threshold_network import SoftThresholdNetwork

        thresholds = {name: nn.Parameter(body.get_parameter(name).new_tensor(self.start)) for name in names}
        beside = {THRESHOLD.format(name): threshold for name, threshold in thresholds.items()}
        module = SoftThresholdNetwork(network, body, thresholds)
        return Parametrised(
            module,
            {**dict(body.named_parameters()), **beside},
            thresholds,
            rank=module.ranking,
            revives=True,
            decays=dict.fromkeys(beside, self.decay) if self.decay is not None else {},
            own_sparsity=module.own_sparsity,
            settle=module.settle,
        )
