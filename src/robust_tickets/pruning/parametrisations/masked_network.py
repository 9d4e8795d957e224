"""The network that learns masks of an exact count; its forward pass masks, its backward pass looks through the mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations.selecting_network import SelectingNetwork
from robust_tickets.pruning.select import Selection


class MaskedNetwork(SelectingNetwork):
    """Calls a network with masked weights, the masks being selected again from |scores| in every forward pass."""

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        scores: Mapping[str, nn.Parameter],
        selection: Selection,
        sparsity: float,
        couplings: Sequence[Coupling],
        seed: int,
    ) -> None:
        """Keep `scores` by weight name; the other arguments are those of `Parametrisation.build`."""
        super().__init__(network, body, scores, selection, couplings, seed)
        self._sparsity = sparsity

    def learned_scores(self) -> dict[str, Tensor]:
        """Return |S| by weight name."""
        return {name: score.abs_() for name, score in super().learned_scores().items()}

    def masks(self) -> Masks:
        """Return the masks of the scores as they are now, of the exact count."""
        return self.selected(self._sparsity)

    def masked_parameters(self) -> dict[str, Tensor]:
        """Return the masked weights, and followers of coupled groups, by their name in the network."""
        scores = self.scores_by_name()
        masked = {}
        for name, mask in self.masks().items():
            path = self._paths[name]
            parameter = self.network.get_parameter(path)
            masked[path] = _StraightThrough.apply(scores[name], parameter, mask) if name in scores else parameter * mask
        return masked


class _StraightThrough(torch.autograd.Function):
    """w * mask(|S|); the mask passes gradients on to |S| as if it were the identity (1911.13299, eq. 3)."""

    @staticmethod
    def forward(ctx: Any, score: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(score, weight)
        return weight * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        score, weight = ctx.saved_tensors
        return gradients[0] * weight * score.sign(), None, None
