"""The network that learns masks by thresholds."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.seen_through import seen_through
from robust_tickets.pruning.parametrisations.selecting_network import SelectingNetwork
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection


class ThresholdedNetwork(SelectingNetwork):
    """Calls a network with those weights whose scores are above their matrix's threshold.

    Thresholds belong to the state, and so do the masks of scores that lie exactly at one: by them a reset keeps the
    exact count although scores may be equal.
    """

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        scores: Mapping[str, nn.Parameter],
        selection: Selection,
        sparsity: float,
        threshold: float,
        every: int,
        seed: int,
    ) -> None:
        """Keep scores by weight name.

        Args:
            network, body, scores: see `ScoredNetwork`.
            selection, sparsity, seed: what a reset restores.
            threshold: of every matrix until the first reset.
            every: steps between resets.
        """
        super().__init__(network, body, scores, selection, (), seed)
        self._sparsity, self._every = sparsity, every
        for number, score in enumerate(self.scores):
            self.register_buffer(f"threshold{number}", score.new_tensor(threshold))
            self.register_buffer(f"ties{number}", torch.zeros_like(score, dtype=torch.bool))

    def before_step(self, moment: Moment) -> None:
        """Reset the thresholds if it is time."""
        if moment.step and moment.step % self._every == 0:
            self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Move every threshold to the highest score that is to be removed: the exact count is kept again."""
        masks = self.selected(self._sparsity)
        for number, (name, score) in enumerate(self.scores_by_name().items()):
            threshold = score.masked_fill(masks[name], -math.inf).max()
            self.get_buffer(f"threshold{number}").copy_(threshold)
            self.get_buffer(f"ties{number}").copy_(masks[name] & (score == threshold))

    def masks(self) -> Masks:
        """Return the masks of the scores and thresholds as they are now."""
        masks: Masks = {}
        for number, (name, score) in enumerate(self.scores_by_name().items()):
            threshold, ties = self.get_buffer(f"threshold{number}"), self.get_buffer(f"ties{number}")
            masks[name] = (score > threshold) | ((score == threshold) & ties)
        return masks

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the masked weights, by their name in the network."""
        scores, weights = self.scores_by_name(), self.weights()
        return {
            self._paths[name]: seen_through(scores[name], weights[name], mask) for name, mask in self.masks().items()
        }
