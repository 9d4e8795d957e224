"""The wrapper around a network whose masks are learned: scores that train, and masked weights in the forward pass."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


class ScoredNetwork(nn.Module, ABC):
    """Calls a network with other tensors in the place of its prunable weights.

    The network is left as it is: its parameters are replaced for the duration of a call only.
    """

    def __init__(self, network: nn.Module, body: nn.Module, scores: Mapping[str, nn.Parameter]) -> None:
        """Keep a network and the scores of its weights.

        Args:
            network: maps inputs to outputs.
            body: the architecture inside it, whose parameter names are those of the scores.
            scores: of each prunable weight, in its shape.
        """
        super().__init__()
        self.network = network
        self.scores = nn.ParameterList(scores.values())
        self._names = tuple(scores)
        inside = {id(parameter): name for name, parameter in network.named_parameters()}
        self._paths = {name: inside[id(parameter)] for name, parameter in body.named_parameters()}

    def scores_by_name(self) -> dict[str, Tensor]:
        """Return the scores by weight name."""
        return dict(zip(self._names, self.scores, strict=True))

    def weights(self) -> dict[str, Tensor]:
        """Return the prunable weights, unmasked, by name."""
        return {name: self.network.get_parameter(self._paths[name]) for name in self._names}

    @abstractmethod
    def masked_parameters(self) -> dict[str, Tensor]:
        """Return what takes the place of parameters, by their name in the network."""

    def forward(self, *inputs: Any) -> Any:
        """Call the network with masked parameters."""
        return functional_call(self.network, self.masked_parameters(), inputs)
