"""The channels that a network in training has lost for good, and where what is left lies in the whole network."""

import copy
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.compact import numbered, places, write_back
from robust_tickets.models.couplings import trace_channels
from robust_tickets.models.network import Network
from robust_tickets.models.surgery import cut_channels
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.training.processes import world


class ChannelRemoval(NamedTuple):
    """What was left of a network after channels went."""

    step: int
    """The training step before which they went."""
    channels: float
    """Share of the channels that could go, in (0, 1]."""
    multiply_adds: float
    """Share of the multiply-adds of prunable weights, zeros included, in (0, 1]."""


class RemovedChannels:
    """A network that becomes smaller in place, and the whole one beside it.

    The network's modules stay the same objects, so that whoever holds them goes on; their parameters are replaced by
    smaller ones. Names are those of the body throughout.

    Args:
        network: which trains; it is not cut yet.
        names: of its prunable weights.
        times: how many times one example multiplies each of these weights.

    Raises:
        UserError: several processes train together.
    """

    def __init__(self, network: Network, names: Sequence[str], times: Mapping[str, float]) -> None:
        if world()[1] > 1:
            raise UserError("this timeline takes channels out of the network, which several processes cannot: use one")
        self.network, self.body, self.names, self.times = network, network.body, tuple(names), times
        self.whole = copy.deepcopy(self.body)
        self.numbers = numbered(self.body)
        self.trace = trace_channels(self.body, network.interface.example(1), self.names)
        self.all_couplings = self.trace.couplings
        self.gone = {one.name: torch.zeros(one.channels, dtype=torch.bool) for one in self.all_couplings}
        self.weights = self._weights(self.numbers)
        self.multiply_adds = self._multiply_adds(self.numbers)
        self.removals: list[ChannelRemoval] = []
        """Every removal so far."""

    @property
    def couplings(self) -> tuple[Coupling, ...]:
        """The channels that are left, as they are numbered now."""
        return self.trace.couplings

    def places(self) -> dict[str, Tensor]:
        """Return where each element of the network lies in the flattened whole, by name in the state dict."""
        return places(self.numbers)

    def chosen(
        self, gains: Mapping[str, Tensor], masks: Masks, threshold: float, frees: float, most: float
    ) -> dict[str, Tensor] | None:
        """Return which channels to remove: bool [channels] by coupling; None if it is not worth it.

        Of every coupling the channel of the highest gain stays, so that the network stays connected.

        Args:
            gains: [channels] of the couplings as they are now.
            masks: in force over what is left.
            threshold: the largest gain of a channel that goes.
            frees: the fewest multiply-adds to free, as a share of the whole network's.
            most: how much of all prunable weights may be gone afterwards, in [0, 1). The lowest gains go first, as many
                as fit.
        """
        names = [one.name for one in self.couplings if one.name in gains]
        candidates = [
            (gain, name, channel)
            for name in names
            for channel, gain in enumerate(gains[name].tolist())
            if gain <= threshold and channel != int(gains[name].argmax())
        ]
        candidates.sort()

        def dead_of(count: int) -> dict[str, Tensor]:
            dead = {name: torch.zeros(len(gains[name]), dtype=torch.bool) for name in names}
            for _, name, channel in candidates[:count]:
                dead[name][channel] = True
            return {name: one for name, one in dead.items() if one.any()}

        here, most_gone = self.places(), exact_count(most, self.weights)

        def without(count: int) -> torch.nn.Module | None:
            """Return the numbered network without the lowest channels; None if more is gone then than may be."""
            trial = copy.deepcopy(self.numbers)
            cut_channels(trial, self.trace.sets, dead_of(count))
            places_there = ((name, trial.get_parameter(name).detach().long()) for name in self.names)
            kept = sum(int(left_after_cut(masks[name], here[name], there).sum()) for name, there in places_there)
            return trial if self.weights - kept <= most_gone else None

        fits, fails = 0, len(candidates) + 1
        count, smallest = len(candidates), None
        while fails - fits > 1:  # the more go, the fewer weights are kept
            trial = without(count)
            fits, fails, smallest = (count, fails, trial) if trial is not None else (fits, count, smallest)
            count = (fits + fails) // 2
        if smallest is None:
            return None
        worth = (self._multiply_adds(self.numbers) - self._multiply_adds(smallest)) / self.multiply_adds
        return dead_of(fits) if worth >= frees else None

    def cut(self, dead: Mapping[str, Tensor]) -> None:
        """Remove channels, bool [channels] by coupling as they are numbered now."""
        for name, channels in dead.items():
            left = (~self.gone[name]).nonzero().flatten()
            self.gone[name][left[channels]] = True
        for network in (self.body, self.numbers):
            cut_channels(network, self.trace.sets, dead)
        self.trace = self.trace.after(dead, self.body)

    def note(self, step: int, names: Container[str]) -> None:
        """Record what is left after the removal before a training step; `names` are of couplings that could go."""
        left = [
            sum(one.channels for one in couplings if one.name in names)
            for couplings in (self.couplings, self.all_couplings)
        ]
        work = self._multiply_adds(self.numbers) / self.multiply_adds
        self.removals.append(ChannelRemoval(step, left[0] / left[1], work))

    def sparsity_here(self, sparsity: float) -> float:
        """Return the sparsity of what is left at which the whole network has one, in [0, 1): the same count goes."""
        left = self._weights(self.numbers)
        if left == self.weights:
            return sparsity
        return max(0, exact_count(sparsity, self.weights) - (self.weights - left)) / left

    def masks(self, masks: Masks) -> Masks:
        """Return masks over the whole network: those of what is left, and all that has gone with channels."""
        found, here = {}, self.places()
        for name in self.names:
            whole = torch.zeros(self.whole.get_parameter(name).shape, dtype=torch.bool, device=masks[name].device)
            whole.view(-1)[here[name].to(whole.device).flatten()] = masks[name].flatten()
            found[name] = whole
        for coupling in self.all_couplings:
            gone = self.gone[coupling.name]
            for member in coupling.followers if gone.any() else ():
                shape = self.whole.get_parameter(member.parameter).shape
                mask = found.setdefault(member.parameter, torch.ones(shape, dtype=torch.bool))
                mask.index_fill_(member.dim, member.index[gone].flatten().to(mask.device), False)
        return found

    @contextmanager
    def undone(self, masks: Masks) -> Iterator[Masks]:
        """Put the whole network in place for the duration; yield the masks over it."""
        try:
            yield self.undo(masks)
        finally:
            self.network.body = self.body

    def undo(self, masks: Masks) -> Masks:
        """Put the whole network, zero where channels are gone, in the place of what is left; return masks over it."""
        write_back(self.body, self.places(), self.whole)
        found = self.masks(masks)
        with torch.no_grad():
            for name, mask in found.items():
                parameter = self.whole.get_parameter(name)
                parameter.mul_(mask.to(parameter.device))
        self.whole.train(self.body.training)
        self.network.body = self.whole
        return found

    def _weights(self, numbers: torch.nn.Module) -> int:
        return sum(numbers.get_parameter(name).numel() for name in self.names)

    def _multiply_adds(self, numbers: torch.nn.Module) -> float:
        return sum(self.times[name] * numbers.get_parameter(name).numel() for name in self.names)


def left_after_cut(tensor: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Return the elements of a tensor that are left after a cut.

    Args:
        tensor: its elements lie at the places `before`.
        before, after: places in the flattened whole, both in ascending order; `after` are some of `before`.
    """
    found = torch.searchsorted(before.flatten(), after.flatten())
    return tensor.flatten()[found.to(tensor.device)].view(after.shape)
