"""Moving connections at constant sparsity (SET, RigL)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.ranking import exact_count, keep_highest

if TYPE_CHECKING:
    from torch import Tensor


def drop_and_grow(
    weights: Mapping[str, Tensor],
    growth: Mapping[str, Tensor],
    masks: Masks,
    fraction: float,
    seed: int = 0,
) -> Masks:
    """Drop a fraction of each layer's smallest kept |w|, and grow as many where |growth| is largest.

    A connection just dropped may be grown back, and then has not changed (Evci et al., 2020, arXiv
    1911.11134, algorithm 1). Each layer keeps exactly as many weights as before.

    Args:
        weights: prunable weights.
        growth: by what removed weights of the same names and shapes rank: dense, unmasked gradients, or chance.
        masks: masks in force, over the same names at least.
        fraction: of each layer's kept weights that is dropped, in [0, 1].
        seed: of the draw, for ties.
    """
    moved: Masks = dict(masks)
    for name, weight in weights.items():
        mask = masks[name].reshape(-1)
        kept = mask.nonzero().squeeze(1)
        count = exact_count(fraction, len(kept))
        ties = generator(seed, "ties", name)
        sizes = weight.detach().reshape(-1)[kept].abs().float()
        survivors = torch.zeros_like(mask)
        survivors[kept[keep_highest({name: sizes}, count, ties)[name]]] = True
        candidates = (~survivors).nonzero().squeeze(1)
        ranks = growth[name].detach().reshape(-1)[candidates].abs().float()
        survivors[candidates[keep_highest({name: ranks}, len(candidates) - count, ties)[name]]] = True
        moved[name] = survivors.reshape(masks[name].shape)
    return moved
