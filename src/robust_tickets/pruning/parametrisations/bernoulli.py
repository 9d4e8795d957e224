"""Gates over frozen weights, drawn anew in every step, whose probabilities train."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Ratio
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES, SINGLE_PRUNE, TRAINING
from robust_tickets.pruning.parametrisations.freezing import freeze
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class Bernoulli(Parametrisation):
    """Weights are frozen and each is kept with a probability p = sigmoid(l), of which l trains, from 0 on.

    Optimal Eye Surgeon (Ghosh et al., 2024, arXiv 2406.05288): in training a weight is multiplied by
    m = sigmoid((l + logit u) / T), u uniform, which is the Gumbel-softmax over keeping and removing it (Jang et al.,
    2017, arXiv 1611.01144). The loss gains lambda times the sum over all weights of KL(Bernoulli(p) || Bernoulli(p0)),
    p0 being the share that is to be kept. In evaluation the mask has the highest l, at its exact count, and so
    has the ticket.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, SINGLE_PRUNE, TRAINING})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    kind: Literal["bernoulli"] = "bernoulli"
    temperature: float = Field(default=0.2, gt=0, description="T: the lower, the closer gates are to 0 and 1.")
    penalty: float = Field(
        default=1e-9, ge=0, description="lambda: what the loss pays for the divergence, summed over all weights."
    )
    prior: Ratio | None = Field(
        default=None, gt=0, lt=1, description="p0, in (0, 1); absent: the share of weights that the ticket keeps."
    )
    train_head: bool = Field(
        default=False,
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
        from robust_tickets.pruning.parametrisations.sampled_network import SampledNetwork

        heads = freeze(body, names, is_head if self.train_head else None)
        logits = {name: nn.Parameter(torch.zeros_like(body.get_parameter(name)).detach()) for name in names}
        prior = self.prior if self.prior is not None else 1 - sparsity
        pays = self.penalty > 0 and prior < 1
        module = SampledNetwork(
            network,
            body,
            logits,
            selection,
            sparsity,
            couplings,
            seed,
            self.temperature,
            prior if pays else 0.5,
            self.penalty,
        )
        return Parametrised(
            module,
            {**logits, **heads},
            logits,
            signed=True,
            before_step=module.before_step,
            penalty=module.divergence if pays else None,
        )
