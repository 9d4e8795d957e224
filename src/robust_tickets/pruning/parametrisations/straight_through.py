"""Masks are learned over frozen weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import LEARNED_SCORES, READS_LEARNED_SCORES, SINGLE_PRUNE
from robust_tickets.pruning.parametrisations.freezing import freeze
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection

if TYPE_CHECKING:
    from torch import Tensor

Initialisation = Literal["weights", "scaled", "random"]
Frozen = Literal["source", "signed-constant"]


class StraightThrough(Parametrisation):
    """Weights are frozen and each has a score S that trains; forward uses w * 1[|S| among the highest].

    Edge-popup (Ramanujan et al., 2020, arXiv 1911.13299); HYDRA (Sehwag et al., 2020, 2002.10509) with scores
    `scaled`; Robust Scratch Tickets (Fu et al., 2021, 2110.14068) with scores `random` over a random network. Which
    scores count as highest is for the draw's selection to say: its group, scope and sparsity. Scores are initialised
    here and nowhere else.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, SINGLE_PRUNE})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    kind: Literal["straight-through"] = "straight-through"
    init: Initialisation = Field(
        default="weights",
        description="weights: a copy of w. scaled: sqrt(6 / fan_in) w / max|w|. random: uniform.",
    )
    train_head: bool = Field(
        default=True,
        description="Whether the head trains together with the scores, unless it is pruned too; other biases and norms "
        "never train.",
    )
    weights: Frozen = Field(
        default="source",
        description="The masked weights: the source's, or only their signs times sqrt(2 / fan_in) (the signed Kaiming "
        "constant of edge-popup, for random sources; with rewind: none, so that the ticket keeps them).",
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

        Sets `requires_grad` of the body's parameters: False, but for a head that trains. The names of the network's
        own state dict stay as they were, and no score shares memory with a weight.
        """
        parameters = dict(body.named_parameters())
        heads = freeze(body, names, is_head if self.train_head else None)
        if self.weights == "signed-constant":
            with torch.no_grad():
                for name in names:
                    fan_in = math.prod(parameters[name].shape[1:])
                    parameters[name].sign_().mul_(math.sqrt(2.0 / fan_in))
        scores = {name: nn.Parameter(self._initial(name, parameters[name], seed)) for name in names}
        from robust_tickets.pruning.parametrisations.masked_network import MaskedNetwork

        module = MaskedNetwork(network, body, scores, selection, sparsity, couplings, seed)
        return Parametrised(module, {**scores, **heads}, scores)

    def _initial(self, name: str, weight: Tensor, seed: int) -> Tensor:
        """Return the first scores of a weight [out, in, *kernel], in their own memory."""
        values = weight.detach().clone()
        fan_in = math.prod(weight.shape[1:])
        if self.init == "scaled":
            return values.mul_(math.sqrt(6.0 / fan_in) / values.abs().max())
        if self.init == "random":
            uniform = torch.rand(weight.shape, generator=generator(seed, "scores", name))
            return uniform.mul_(2.0).sub_(1.0).mul_(fan_in**-0.5).to(weight)
        return values
