"""A network as inputs in, outputs out: the one view that attacks and measures have of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from robust_tickets.foundation.batch import as_floats, moved
from robust_tickets.foundation.kept_memory import kept_memory
from robust_tickets.foundation.lazy import nn, torch

Predict = Callable[[Any], Any]
"""Inputs of a batch to what the network returns: of classes logits [N, C].

Inputs are float images in [0, 1], NCHW, or of texts int64 [N, L] by name."""


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for a while; each module's own mode comes back on exit."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def attack_mode(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the network as an attack should see it: eval mode, no gradients for parameters.

    Eval mode keeps attack passes out of the batch-norm statistics; parameters that need no gradient save
    a third of every attack pass. Each module's own mode and each parameter's own flag come back on exit.
    Of a `DistributedDataParallel` wrapper the wrapped module is yielded, because the wrapper expects
    every backward pass to reach the parameters.
    """
    network = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with eval_mode(network):
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            yield network
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)


@contextmanager
def evaluation_mode(network: nn.Module, device: torch.device | str) -> Iterator[Predict]:
    """Yield `predict`: the network in eval mode and fp32, without parameter gradients.

    Images may come from any device and go to `device`, where the network must be. Autocast around this
    context is switched off, but not one wrapped into the network's own forward pass: give the plain
    module. Modes and flags come back on exit; parameters, gradients and buffers are never touched.
    """
    device = torch.device(device)
    with attack_mode(network) as plain, torch.autocast(device.type, enabled=False), kept_memory():
        yield lambda inputs: plain(as_floats(moved(inputs, device)))
