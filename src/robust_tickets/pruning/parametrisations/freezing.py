"""Freezing a network under masks that are learned."""

from __future__ import annotations

from collections.abc import Callable, Collection

from robust_tickets.foundation.lazy import nn


def freeze(body: nn.Module, names: Collection[str], is_head: Callable[[str], bool] | None) -> dict[str, nn.Parameter]:
    """Stop all parameters from training but those of the head, and return these by name.

    Args:
        body: the network, whose parameters' `requires_grad` is set.
        names: prunable weights. A head among them does not train: its weights get scores like the others.
        is_head: whether a parameter name belongs to a head that trains; None if it is frozen too.
    """
    trains = is_head is not None and not any(is_head(name) for name in names)
    heads = {}
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(trains and is_head is not None and is_head(name))
        if parameter.requires_grad:
            heads[name] = parameter
    return heads
