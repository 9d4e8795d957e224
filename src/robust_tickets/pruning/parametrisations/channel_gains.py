"""The gains of a network's channels, and what the loss pays for them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from robust_tickets.pruning.couplings import Coupling, Member, spread
from robust_tickets.pruning.plans import Moment

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)

NEVER = 1e30
"""The rank of channels without a norm: above all others."""


class ChannelGains:
    """|gamma| of every channel of some couplings, by the body's own parameters.

    Args:
        body: the network.
        couplings: channels that live and die together.
        strength: rho.
        warmup: share of the training in which rho rises.
    """

    def __init__(self, body: nn.Module, couplings: Sequence[Coupling], strength: float, warmup: float) -> None:
        self.body, self.couplings, self.strength, self.warmup = body, tuple(couplings), strength, warmup
        # On the device of the scales, where every step reads them.
        self.norms = {
            one.name: [
                replace(member, index=member.index.to(body.get_parameter(member.parameter).device))
                for member in one.followers
                if is_scale(body, member)
            ]
            for one in couplings
        }
        self.costs = {one.name: torch.ones(one.channels) for one in couplings}
        self.progress = 0.0

    @property
    def has_any(self) -> bool:
        """Whether some channel has a norm."""
        return any(self.norms.values())

    def before_step(self, moment: Moment) -> None:
        """Take up how much of the training is done."""
        self.progress = moment.progress

    def weigh(self, multiplications: Mapping[str, float]) -> None:
        """Let channels pay by their multiply-adds, over the mean of the channels that there are.

        Args:
            multiplications: how many times one example multiplies each weight that may go.
        """
        costs = {one.name: self.cost(one, multiplications) for one in self.couplings if self.norms[one.name]}
        mean = torch.cat(list(costs.values())).mean()
        for name, cost in costs.items():
            device = self.body.get_parameter(self.norms[name][0].parameter).device
            self.costs[name] = (cost / mean).to(device)

    def cost(self, coupling: Coupling, multiplications: Mapping[str, float]) -> Tensor:
        """Return the multiply-adds of each channel: of the weights that produce it, and of those that read it."""
        total = torch.zeros(coupling.channels)
        for member in (*coupling.producers, *coupling.readers):
            shape = self.body.get_parameter(member.parameter).shape
            each = math.prod(shape) // shape[member.dim] * member.index.shape[1]
            total += each * multiplications.get(member.parameter, 0.0)
        return total

    def gains(self, coupling: Coupling) -> Tensor:
        """Return the gain of each channel [channels], differentiable."""
        found = []
        for member in self.norms[coupling.name]:
            scale = self.body.get_parameter(member.parameter)
            found.append(scale.abs()[member.index].sum(1))
        return torch.stack(found).sum(0)

    def all(self) -> dict[str, Tensor]:
        """Return the gains of all channels that have some, detached, by the name of their coupling."""
        return {one.name: self.gains(one).detach() for one in self.couplings if self.norms[one.name]}

    def penalty(self) -> Tensor:
        """Return rho times the sum over channels of cost times gain."""
        rho = self.strength * (min(1.0, self.progress / self.warmup) if self.warmup else 1.0)
        terms = []
        for one in self.couplings:
            if self.norms[one.name]:
                gains = self.gains(one)
                terms.append((gains * self.costs[one.name].to(gains.device)).sum())
        return rho * torch.stack(terms).sum()

    def ranking(self) -> dict[str, Tensor]:
        """Return the gain of its channel for every weight that produces one."""
        gains = {
            one.name: self.gains(one).detach() if self.norms[one.name] else torch.full((one.channels,), NEVER)
            for one in self.couplings
        }
        return spread(gains, self.couplings, self.body.get_parameter, NEVER)


def is_scale(body: nn.Module, member: Member) -> bool:
    """Return whether a parameter is the scale of a norm."""
    path, _, leaf = member.parameter.rpartition(".")
    return leaf == "weight" and isinstance(body.get_submodule(path), NORMS)
