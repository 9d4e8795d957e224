"""How large a network is."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from robust_tickets.foundation.batch import examples_in
from robust_tickets.models.network import tensors_of
from robust_tickets.models.plain_attention import plain_attention


def parameter_count(network: nn.Module) -> int:
    """Return the number of parameters, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())


def nonzero_count(network: nn.Module) -> int:
    """Return the number of parameters that are not exactly zero."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in network.parameters())


@dataclass(frozen=True)
class MultiplyAdds:
    """The multiply-adds that one example costs."""

    total: int
    by_layer: Mapping[str, int]
    """Of each module, those inside it included, by its path in the network's body."""

    def left(self, layer_sparsity: Mapping[str, float]) -> float:
        """Return the fraction that is left if zeros cost nothing, in [0, 1].

        Args:
            layer_sparsity: fraction removed of each weight, by its name in the body.
        """
        saved = sum(
            self.by_layer.get(name.rpartition(".")[0], 0) * sparsity for name, sparsity in layer_sparsity.items()
        )
        return 1 - saved / self.total


def multiply_adds(network: nn.Module, example: Any) -> int:
    """Return the multiply-adds that one example costs; see `counted_multiply_adds`."""
    return counted_multiply_adds(network, example).total


@torch.no_grad()
def counted_multiply_adds(network: nn.Module, example: Any) -> MultiplyAdds:
    """Return the multiply-adds one example costs in convolutions, matrix products and attention.

    Zeros count: this is what a dense engine executes. Norms and activations do not count.

    Args:
        network: put into eval mode for the count and back.
        example: inputs of N examples; the count is divided by N.
    """
    mode = network.training
    network.eval()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:  # torch's counter fails on views of them where gradients are off
        parameter.requires_grad_(False)
    with plain_attention(), FlopCounterMode(display=False, depth=sys.maxsize) as counter:
        tensors_of(network, example)
    network.train(mode)
    for parameter in trained:
        parameter.requires_grad_(True)
    twice = 2 * examples_in(example)
    inside = f"{type(network).__name__}.body."
    found = {str(path): sum(counts.values()) // twice for path, counts in counter.get_flop_counts().items()}
    by_layer = {path.removeprefix(inside): count for path, count in found.items() if path.startswith(inside)}
    return MultiplyAdds(counter.get_total_flops() // twice, by_layer)
