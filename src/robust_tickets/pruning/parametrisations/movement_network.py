"""The network that learns weights and masks together, at the sparsity that a timeline has reached."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.seen_through import seen_through
from robust_tickets.pruning.parametrisations.selecting_network import SelectingNetwork
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection


class MovementNetwork(SelectingNetwork):
    """Calls a network with those weights whose scores were the highest before the present step."""

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        scores: Mapping[str, nn.Parameter],
        selection: Selection,
        couplings: Sequence[Coupling],
        seed: int,
    ) -> None:
        """Keep `scores` by weight name; the other arguments are those of `Parametrisation.build`."""
        super().__init__(network, body, scores, selection, couplings, seed)
        self._masks: Masks = {}

    def before_step(self, moment: Moment) -> None:
        """Select the masks of a training step."""
        self._masks = self.selected(moment.sparsity) if moment.sparsity else {}

    def masks(self) -> Masks:
        """Return the masks in force; none before the first prune."""
        return self._masks

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the masked weights, and followers of coupled groups, by their name in the network."""
        scores = self.scores_by_name()
        masks: Masks = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
        masked = {}
        for name, mask in {**masks, **self._masks}.items():
            path = self._paths[name]
            parameter = self.network.get_parameter(path)
            masked[path] = seen_through(scores[name], parameter, mask) if name in scores else parameter * mask
        return masked
