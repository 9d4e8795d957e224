"""Complement and flips: masks that differ from a ticket's in an exactly known way.

If a ticket is good because of *which* weights it keeps, its complement, made of all the others, should be bad
(Zhou et al., 2019, arXiv 1905.01067, compare such opposite criteria), and exchanging a share of its weights should
cost accuracy as the share grows.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.groups import AnyGroup
from robust_tickets.pruning.masks import Masks


def complement(masks: Mapping[str, Tensor]) -> Masks:
    """Return masks that keep exactly what `masks` remove; of sparsity 1 - s.

    Biases and norms under the masks of coupled groups go with their channels: those removed come back with all
    that belongs to them.

    Raises:
        UserError: a layer is not pruned at all, so that nothing would be left of it.
    """
    if whole := [name for name, mask in masks.items() if bool(mask.all())]:
        raise UserError(
            f"complement: nothing is removed from {whole[0]}{f' and {len(whole) - 1} more' if whole[1:] else ''}, so "
            "the complement would keep nothing there and cut the network; exempt it from the draw (draw.prunable)"
        )
    return {name: ~mask for name, mask in masks.items()}


def require_exchangeable(group: AnyGroup) -> None:
    """Refuse groups that flips would break.

    Raises:
        UserError: the group ties weights of several layers, or of one run, together.
    """
    if not group.is_exchangeable:
        raise UserError(
            f"flipped: exchanging single groups of kind {group.kind!r} would break the structure that ties them; "
            "use the control shuffled, or draw group: element"
        )


def flipped(masks: Mapping[str, Tensor], group: AnyGroup, share: float, seed: int) -> Masks:
    """Return masks of the same count in every layer, a share of whose groups are others.

    Of a layer that keeps k groups and removes r, floor(share k + 1/2) kept ones, but at most r, change places
    with as many removed ones; both are drawn uniformly, from one stream per layer.

    Args:
        masks: over prunable weights [out, in, *kernel], True = kept.
        group: what was removed as one; the masks keep or remove such groups whole.
        share: fraction of the kept groups that is exchanged, in [0, 1].
        seed: of the draw; a larger share of the same seed exchanges the same groups and more.

    Raises:
        UserError: the group cannot be exchanged one by one (coupled groups, N:M).
    """
    require_exchangeable(group)
    partition = group.partition(masks, masks, ())
    kept: dict[str, Tensor] = {}
    for name, unit in partition.units.items():
        # A layer of which nothing is removed has nothing to exchange.
        now = partition.remaining.get(name, torch.ones(unit.groups, dtype=torch.bool, device=masks[name].device))
        order = torch.randperm(unit.groups, generator=generator(seed, "flipped", name)).to(now.device)
        there, gone = order[now[order]], order[~now[order]]
        count = min(int(share * len(there) + 0.5), len(gone))
        kept[name] = now.clone()
        kept[name][there[:count]] = False
        kept[name][gone[:count]] = True
    return partition.expand(kept)
