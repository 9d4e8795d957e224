"""A network that others learn from, or are kept away from."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from robust_tickets.foundation.lazy import nn, torch

SOURCE = "source"
"""The teacher that is the network itself, as it was before the training."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """A network in evaluation mode that does not train."""

    network: nn.Module
    """Takes the inputs of a batch."""
    body: nn.Module
    """The architecture inside it (or the network itself), whose layers have names."""

    @classmethod
    def copied(cls, network: nn.Module, body: nn.Module) -> Teacher:
        """Return a copy of a network as it is now, frozen.

        Args:
            network: maps inputs to outputs.
            body: a module inside it, or the network itself.
        """
        path = next(name for name, module in network.named_modules() if module is body)
        frozen = copy.deepcopy(network).eval().requires_grad_(False)
        return cls(frozen, frozen.get_submodule(path))

    def to(self, device: torch.device) -> Teacher:
        """Return itself, moved to a device."""
        self.network.to(device)
        return self
