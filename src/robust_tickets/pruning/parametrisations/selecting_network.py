"""The wrapper around a network whose masks are selected from scores that train."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.scored_network import ScoredNetwork
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import LearnedAlone


class SelectingNetwork(ScoredNetwork):
    """Calls a network with weights that a selection keeps, by scores as they are now."""

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
        super().__init__(network, body, scores)
        self._selection, self._couplings, self._seed = selection, tuple(couplings), seed

    def learned_scores(self) -> dict[str, Tensor]:
        """Return by what weights rank, by their name, in float32 at least and in fresh tensors: the scores."""
        return {
            name: score.detach().to(torch.promote_types(score.dtype, torch.float32), copy=True)
            for name, score in self.scores_by_name().items()
        }

    def selected(self, sparsity: float) -> Masks:
        """Return the masks of the scores as they are now, of the exact count; see `Selection.select`."""
        return self._selection.select(
            self.weights(),
            sparsity=sparsity,
            couplings=self._couplings,
            statistics=LearnedAlone(self.learned_scores),
            seed=self._seed,
        )
