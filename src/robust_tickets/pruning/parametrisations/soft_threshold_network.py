"""The network that learns its weights through soft thresholds."""

import math

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.parametrisations.scored_network import ScoredNetwork


class SoftThresholdNetwork(ScoredNetwork):
    """Calls a network with weights that are smaller by their layer's threshold, and zero below it.

    Its scores are one number s for each weight tensor.
    """

    def excess(self) -> dict[str, Tensor]:
        """Return |w| - sigmoid(s) by weight name: what is left of each weight's size, or below 0 what it lacks."""
        weights = self.weights()
        return {name: weights[name].abs() - torch.sigmoid(s) for name, s in self.scores_by_name().items()}

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return sign(w) relu(|w| - sigmoid(s)), by the weights' names in the network."""
        weights = self.weights()
        return {self._paths[name]: weights[name].sign() * excess.relu() for name, excess in self.excess().items()}

    @torch.no_grad()
    def ranking(self) -> dict[str, Tensor]:
        """Return by what weights rank, in float32 at least."""
        return {
            name: excess.to(torch.promote_types(excess.dtype, torch.float32)) for name, excess in self.excess().items()
        }

    def own_sparsity(self) -> float:
        """Return the share of weights that are zero in the forward pass, in [0, 1).

        Raises:
            UserError: all of them are.
        """
        ranks = self.ranking().values()
        gone, total = sum(int((rank <= 0).sum()) for rank in ranks), sum(rank.numel() for rank in ranks)
        if gone == total:
            raise UserError(
                "parametrisation 'soft-threshold': training has removed all weights; lower its weight decay, or let "
                "parametrisation.start be further below 0"
            )
        return gone / total

    @torch.no_grad()
    def settle(self) -> None:
        """Let the weights be what they are in the forward pass, under thresholds of 0 from now on."""
        shrunken = self.masked_parameters()
        for path, value in shrunken.items():
            self.network.get_parameter(path).copy_(value)
        for s in self.scores:
            s.fill_(-math.inf)
