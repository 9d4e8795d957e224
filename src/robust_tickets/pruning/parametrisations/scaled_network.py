"""The network that learns a coefficient for each of its heads and neurons."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from robust_tickets.pruning.couplings import Coupling, spread


class ScaledNetwork(nn.Module):
    """Calls a network in which every layer that reads a group reads it times the group's coefficient.

    Columns of the reader are scaled instead of what it reads, which is the same number and needs no knowledge of the
    network's code. The network is left as it is: weights are replaced for the duration of a call only.
    """

    def __init__(self, network: nn.Module, body: nn.Module, couplings: Sequence[Coupling], strength: float) -> None:
        """Keep a network and a coefficient of 1 for each group of the couplings.

        Args:
            network: maps inputs to outputs.
            body: the architecture inside it, whose parameter names the couplings use.
            couplings: with their readers.
            strength: what the loss pays for the sum of |c|.
        """
        super().__init__()
        self.network, self._couplings, self._strength = network, tuple(couplings), strength
        device = next(body.parameters()).device
        self.coefficients = nn.ParameterList(
            nn.Parameter(torch.ones(coupling.channels, device=device)) for coupling in couplings
        )
        inside = {id(parameter): name for name, parameter in network.named_parameters()}
        self._paths = {name: inside[id(parameter)] for name, parameter in body.named_parameters()}

    def coefficients_by_name(self) -> dict[str, nn.Parameter]:
        """Return the coefficients [groups] by their coupling's name."""
        return {coupling.name: self.coefficients[place] for place, coupling in enumerate(self._couplings)}

    def ranking(self) -> dict[str, Tensor]:
        """Return |c| of its group for every weight that produces one, 0 for others of the same parameter."""
        sizes = {name: values.detach().abs() for name, values in self.coefficients_by_name().items()}
        return spread(sizes, self._couplings, lambda name: self.network.get_parameter(self._paths[name]), 0.0)

    def scaled_parameters(self) -> dict[str, Tensor]:
        """Return the weights of all readers with scaled columns, by their name in the network."""
        factors: dict[str, Tensor] = {}
        for coupling, values in zip(self._couplings, self.coefficients, strict=True):
            for member in coupling.readers:
                width = self.network.get_parameter(self._paths[member.parameter]).shape[1]
                known = factors.get(member.parameter)
                known = torch.ones(width, device=values.device) if known is None else known
                index = member.index.flatten().to(values.device)
                factors[member.parameter] = known.index_copy(0, index, values.repeat_interleave(member.index.shape[1]))
        scaled = {}
        for name, factor in factors.items():
            weight = self.network.get_parameter(self._paths[name])
            scaled[self._paths[name]] = weight * factor.to(weight.dtype).reshape(1, -1, *[1] * (weight.dim() - 2))
        return scaled

    def penalty(self) -> Tensor:
        """Return what the loss pays for the sum of |c|."""
        return self._strength * torch.stack([values.abs().sum() for values in self.coefficients]).sum()

    def forward(self, *inputs: Any) -> Any:
        """Call the network with scaled readers."""
        return functional_call(self.network, self.scaled_parameters(), inputs)
