"""The network that learns weights and masks together, by a threshold on sigmoids."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.scored_network import ScoredNetwork
from robust_tickets.pruning.parametrisations.seen_through import seen_through
from robust_tickets.pruning.parametrisations.soft_movement import SoftMovement
from robust_tickets.pruning.plans import Moment


class SoftMovementNetwork(ScoredNetwork):
    """Calls a network with those weights of which sigmoid(S) is above tau."""

    def __init__(
        self, network: nn.Module, body: nn.Module, scores: Mapping[str, nn.Parameter], settings: SoftMovement
    ) -> None:
        """Keep `scores` by weight name; `settings` say how tau and lambda rise."""
        super().__init__(network, body, scores)
        self._settings = settings
        self.register_buffer("risen", torch.zeros(()))

    def before_step(self, moment: Moment) -> None:
        """Take up tau and lambda of a training step."""
        self.get_buffer("risen").fill_(self._settings.risen(moment.progress))

    def masks(self) -> Masks:
        """Return the masks of the scores and of tau as they are now."""
        tau = self._settings.threshold * self.get_buffer("risen")
        return {name: torch.sigmoid(score.detach()) > tau for name, score in self.scores_by_name().items()}

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the masked weights, by their name in the network."""
        scores, weights = self.scores_by_name(), self.weights()
        return {
            self._paths[name]: seen_through(scores[name], weights[name], mask) for name, mask in self.masks().items()
        }

    def penalty(self) -> Tensor:
        """Return lambda times the mean of sigmoid(S) over all weights."""
        total = torch.stack([torch.sigmoid(score).sum() for score in self.scores]).sum()
        share = total / sum(score.numel() for score in self.scores)
        return self._settings.penalty * self.get_buffer("risen") * share
