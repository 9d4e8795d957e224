"""The network whose weights are kept by chance, with probabilities that train."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.gated_network import LEAST
from robust_tickets.pruning.parametrisations.selecting_network import SelectingNetwork
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection


class SampledNetwork(SelectingNetwork):
    """Calls a network with its weights times gates: in training drawn ones, otherwise those of the exact count."""

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        logits: Mapping[str, nn.Parameter],
        selection: Selection,
        sparsity: float,
        couplings: Sequence[Coupling],
        seed: int,
        temperature: float,
        prior: float,
        penalty: float,
    ) -> None:
        """Keep logits by weight name.

        Args:
            network, body: see `ScoredNetwork`.
            logits: l of each weight.
            selection, sparsity, couplings: by which masks of evaluation are selected.
            seed: of the draw, under which the noise has its own streams.
            temperature, prior, penalty: T, p0 and lambda.
        """
        super().__init__(network, body, logits, selection, couplings, seed)
        self._sparsity, self._temperature, self._penalty = sparsity, temperature, penalty
        self._log_kept, self._log_removed = math.log(prior), math.log1p(-prior)
        self._step = 0

    def before_step(self, moment: Moment) -> None:
        """Take up the noise of a training step."""
        self._step = moment.step

    def logits(self) -> Tensor:
        """Return all logits in a row: a network has many small tensors, and one operation on all costs less."""
        return torch.cat([logit.flatten() for logit in self.scores])

    def gates(self) -> dict[str, Tensor]:
        """Return the gates of the present step by weight name, in (0, 1)."""
        logits = self.logits()
        chance = generator(self._seed, "gates", self._step, device=logits.device)
        uniform = torch.rand(logits.shape, generator=chance, device=logits.device).clamp_(LEAST, 1 - LEAST)
        gates = torch.sigmoid((logits + torch.logit(uniform)) / self._temperature)
        shapes = {name: logit.shape for name, logit in self.scores_by_name().items()}
        split = gates.split([shape.numel() for shape in shapes.values()])
        return {name: one.view(shape) for (name, shape), one in zip(shapes.items(), split, strict=True)}

    def masks(self) -> Masks:
        """Return the masks of the highest logits, of the exact count."""
        return self.selected(self._sparsity)

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the weights times their gates or masks, by their name in the network."""
        gates = self.gates() if self.training else self.masks()
        return {self._paths[name]: self.network.get_parameter(self._paths[name]) * gate for name, gate in gates.items()}

    def divergence(self) -> Tensor:
        """Return lambda times the sum over weights of KL(Bernoulli(p) || Bernoulli(p0)), in nats."""
        logits = self.logits()
        # p log(p / p0) + (1 - p) log((1 - p) / (1 - p0)), where log p - log(1 - p) is the logit itself.
        excess = torch.sigmoid(logits) * (logits - (self._log_kept - self._log_removed))
        return self._penalty * (excess + F.logsigmoid(-logits) - self._log_removed).sum()
