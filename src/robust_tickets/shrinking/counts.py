"""How large a network is."""

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


@torch.no_grad()
def multiply_adds(network: nn.Module, example: Any) -> int:
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
    with plain_attention(), FlopCounterMode(display=False) as counter:
        tensors_of(network, example)
    network.train(mode)
    for parameter in trained:
        parameter.requires_grad_(True)
    return counter.get_total_flops() // 2 // examples_in(example)
