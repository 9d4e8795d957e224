"""A network without what its masks remove, to train faster, and the way back."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.models.couplings import trace_channels
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.surgery import cut_channels
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks


@dataclass(frozen=True, eq=False)
class Compact:
    """A smaller network, and where each of its numbers lies in the whole one."""

    body: nn.Module
    masks: Masks
    """The masks over what is left: zeros that did not go with a channel, neuron or head."""
    places: Mapping[str, Tensor]
    """Name in the state dict -> for every element, in the smaller tensor's shape, its place in the flattened whole."""

    @torch.no_grad()
    def restore(self, whole: nn.Module) -> None:
        """Write the smaller network's parameters and buffers to where they lie in the whole one; the rest stays."""
        write_back(self.body, self.places, whole)


@torch.no_grad()
def compacted(body: nn.Module, masks: Mapping[str, Tensor], example: Any) -> Compact | None:
    """Leave out every channel, neuron and head that the masks remove with all that follows it.

    Args:
        body: the architecture with its weights; it is copied, not touched.
        masks: parameter name -> bool of its shape, True = kept.
        example: an input of the shape `body` takes.

    Returns:
        The smaller network, which computes the same up to rounding; None if nothing can be left out.
    """
    trace = trace_channels(body, example, weights_by_type(body))
    removed = {coupling.name: masked_channels(coupling, masks) for coupling in trace.couplings}
    removed = {name: dead for name, dead in removed.items() if dead.any()}
    if not removed:
        return None
    smaller, numbers = copy.deepcopy(body), numbered(body)
    for network in (smaller, numbers):
        cut_channels(network, trace.sets, removed)
    found = places(numbers)
    left = {name: mask.view(-1)[found[name].to(mask.device)] for name, mask in masks.items()}
    return Compact(smaller, left, found)


@torch.no_grad()
def numbered(body: nn.Module) -> nn.Module:
    """Return a copy of a network whose parameters and buffers count their own elements, to be cut as the network is."""
    numbers = copy.deepcopy(body).double()  # float64 counts to 2^53
    for tensor in (*numbers.parameters(), *numbers.buffers()):
        tensor.copy_(torch.arange(tensor.numel(), device=tensor.device).reshape(tensor.shape))
    return numbers


def places(numbers: nn.Module) -> dict[str, Tensor]:
    """Return where what is left of a numbered network lies in the flattened whole, int64, by name in its state dict."""
    return {name: tensor.long() for name, tensor in numbers.state_dict().items()}


@torch.no_grad()
def write_back(smaller: nn.Module, places: Mapping[str, Tensor], whole: nn.Module) -> None:
    """Write parameters and buffers of a smaller network to their places in the whole one; the rest stays."""
    state = whole.state_dict()
    for name, left in smaller.state_dict().items():
        tensor = state[name]
        flat = tensor.flatten().clone()  # channels-last weights do not lie in this order
        flat[places[name].to(tensor.device).flatten()] = left.to(tensor).flatten()
        tensor.copy_(flat.view(tensor.shape))


def masked_channels(coupling: Coupling, masks: Mapping[str, Tensor]) -> Tensor:
    """Return bool [channels]: masked in every member; one channel of a set stays in any case."""
    dead = torch.ones(coupling.channels, dtype=torch.bool)
    for member in (*coupling.producers, *coupling.followers):
        if (mask := masks.get(member.parameter)) is None:
            return torch.zeros_like(dead)
        kept = mask.cpu().movedim(member.dim, 0).flatten(1) if mask.dim() > 1 else mask.cpu()[:, None]
        dead &= ~kept.any(1)[member.index].any(1)
    if dead.all():
        dead[0] = False
    return dead
