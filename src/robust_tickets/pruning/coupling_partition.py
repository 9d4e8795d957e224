"""Groups that span several parameters: coupled channels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.couplings import Coupling, Member
from robust_tickets.pruning.masks import Masks, full
from robust_tickets.pruning.partitions import Norm, PruningUnit, signed_root, signed_square

if TYPE_CHECKING:
    from torch import Tensor


class CouplingPartition:
    """Each coupling is a unit and each of its channels a group; one channel of each always stays.

    Weights outside every coupling keep full masks. Masks cover the followers too.
    """

    def __init__(
        self,
        couplings: Sequence[Coupling],
        weights: Mapping[str, Tensor],
        masks: Mapping[str, Tensor] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> None:
        """Divide weights along couplings, of which `kinds` says by name what they consist of.

        A follower's shape is that of its present mask, or else what its member says, or else it reaches to the
        last position of a coupling.

        Raises:
            UserError: the present masks cut through a channel.
        """
        self._weights = weights
        self._couplings = {coupling.name: coupling for coupling in couplings}
        device = next(iter(weights.values())).device
        self._followers: dict[str, Tensor] = {}
        for member in (member for coupling in couplings for member in coupling.followers):
            known = self._followers.get(member.parameter, ())
            shape = member.shape or (max(len(known), int(member.index.max()) + 1),)
            if masks is not None and member.parameter in masks:
                shape = masks[member.parameter].shape
            self._followers[member.parameter] = torch.empty(shape, device=device)
        self.units: dict[str, PruningUnit] = {}
        self.remaining: dict[str, Tensor] = {}
        for name, coupling in self._couplings.items():
            remaining = coupling.channels
            if masks is not None:
                still_there = _channel_sums(coupling.producers, masks) > 0
                remaining = int(torch.count_nonzero(still_there))
                if remaining < coupling.channels:
                    self.remaining[name] = still_there.to(device)
            shape = tuple(weights[coupling.producers[0].parameter].shape)
            self.units[name] = PruningUnit(shape, coupling.channels, remaining, (kinds or {}).get(name, ""))
        if masks is not None:
            all_there = {name: torch.ones(unit.groups, dtype=torch.bool) for name, unit in self.units.items()}
            whole = self.expand(all_there | self.remaining)
            for name in weights:
                if not torch.equal(whole[name], masks[name].to(device)):
                    raise UserError(
                        f"the present masks of {name} cut through its coupled channels; keep the group they "
                        "were drawn in, or start without masks"
                    )

    def reduce(self, saliencies: Mapping[str, Tensor], norm: Norm) -> dict[str, Tensor]:
        """See `Partition`: over all producers of a channel together."""
        powers = saliencies if norm == "l1" else {name: signed_square(s.double()) for name, s in saliencies.items()}
        scores = {}
        for name, coupling in self._couplings.items():
            size = sum(_slice_size(member, saliencies[member.parameter]) for member in coupling.producers)
            mean = _channel_sums(coupling.producers, powers) / size
            scores[name] = mean if norm == "l1" else signed_root(mean)
        return scores

    def contest(self, scores: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
        """See `Partition`: the best channel of each coupling must stay."""
        for name, score in scores.items():
            if name in self.remaining:
                score.masked_fill_(~self.remaining[name], -math.inf)
            best = (score == score.max()).nonzero().squeeze(1)
            chosen = torch.randint(len(best), (), generator=generator(seed, "ties", "best", name))
            score[best[chosen]] = math.inf
        return scores

    def expand(self, kept: Mapping[str, Tensor]) -> Masks:
        """See `Partition`."""
        masks = full({**self._weights, **self._followers})
        for name, coupling in self._couplings.items():
            for member in (*coupling.producers, *coupling.followers):
                mask = masks[member.parameter]
                removed = member.index[~kept[name].to(member.index.device)].flatten()
                mask.index_fill_(member.dim, removed.to(mask.device), False)
        return masks


def _slice_size(member: Member, tensor: Tensor) -> int:
    """Return how many elements of the tensor belong to each channel."""
    return tensor.numel() // tensor.shape[member.dim] * member.index.shape[1]


def _channel_sums(members: Sequence[Member], tensors: Mapping[str, Tensor]) -> Tensor:
    """Sum tensors over the slices of all members that belong to each channel: float64 [channels]."""
    sums = []
    for member in members:
        tensor = tensors[member.parameter]
        others = [dim for dim in range(tensor.dim()) if dim != member.dim]
        sums.append(tensor.sum(others, dtype=torch.float64)[member.index.to(tensor.device)].sum(1))
    return torch.stack(sums).sum(0)
