"""The network that learns hard concrete gates."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.parametrisations.hard_concrete import HIGH, LOW
from robust_tickets.pruning.parametrisations.scored_network import ScoredNetwork
from robust_tickets.pruning.plans import Moment

TEMPERATURE = 2 / 3
"""beta: the lower, the more often a noisy gate is all open or all shut."""

LEAST = 1e-6
"""u lies in [this, 1 - this], where its logit is finite in float32."""


class GatedNetwork(ScoredNetwork):
    """Calls a network with its weights times their gates: in training noisy ones, otherwise those of evaluation."""

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        log_alpha: Mapping[str, nn.Parameter],
        weight_of_penalty: Callable[[float], float],
        seed: int,
    ) -> None:
        """Keep log alpha by weight name.

        Args:
            network, body: see `ScoredNetwork`.
            log_alpha: what trains of each gate.
            weight_of_penalty: share of the training that is done to lambda.
            seed: of the draw, under which the noise has its own streams.
        """
        super().__init__(network, body, log_alpha)
        self._weight_of_penalty, self._seed = weight_of_penalty, seed
        self._moment = Moment(0, 1, 0.0)

    def before_step(self, moment: Moment) -> None:
        """Take up the noise and the lambda of a training step."""
        self._moment = moment

    def noise(self, name: str, like: Tensor) -> Tensor:
        """Return logit u for the weight `name` in the present step, in the shape and on the device of `like`."""
        chance = generator(self._seed, "gates", self._moment.step, name, device=like.device)
        uniform = torch.rand(like.shape, generator=chance, device=like.device).clamp_(LEAST, 1 - LEAST)
        return torch.logit(uniform)

    def gates(self) -> dict[str, Tensor]:
        """Return the gates by weight name, in [0, 1]."""
        gates = {}
        for name, log_alpha in self.scores_by_name().items():
            logits = (self.noise(name, log_alpha) + log_alpha) / TEMPERATURE if self.training else log_alpha
            gates[name] = (torch.sigmoid(logits) * (HIGH - LOW) + LOW).clamp(0, 1)
        return gates

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the weights times their gates, by their name in the network."""
        weights = self.weights()
        return {self._paths[name]: weights[name] * gate for name, gate in self.gates().items()}

    def open_share(self) -> Tensor:
        """Return the expected share of gates that are open, the mean of P(m > 0) over all weights; differentiable."""
        shift = TEMPERATURE * math.log(-LOW / HIGH)
        open_gates = [torch.sigmoid(log_alpha - shift).sum() for log_alpha in self.scores]
        return torch.stack(open_gates).sum() / sum(log_alpha.numel() for log_alpha in self.scores)

    def penalty(self) -> Tensor:
        """Return lambda times the expected share of open gates."""
        return self._weight_of_penalty(self._moment.progress) * self.open_share()
