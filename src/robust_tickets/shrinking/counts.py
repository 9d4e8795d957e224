"""How large a network is."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from robust_tickets.models.network import tensors_of


def parameter_count(network: nn.Module) -> int:
    """Return the number of parameters, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())


def nonzero_count(network: nn.Module) -> int:
    """Return the number of parameters that are not exactly zero."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in network.parameters())


@torch.no_grad()
def multiply_adds(network: nn.Module, example: Tensor) -> int:
    """Return the multiply-adds one image costs in convolutions, matrix products and attention.

    Zeros count: this is what a dense engine executes. Norms and activations do not count.

    Args:
        network: put into eval mode for the count and back.
        example: [N, C, H, W]; the count is divided by N.
    """
    mode = network.training
    network.eval()
    with FlopCounterMode(display=False) as counter:
        tensors_of(network, example)
    network.train(mode)
    return counter.get_total_flops() // 2 // len(example)
