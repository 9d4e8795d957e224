"""How much a picture changes while a generator trains: early stopping where nothing judges."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

VARIANCE = "variance"
"""Its key in rows of metrics."""


class Steadiness:
    """The variance of pictures over a window of validations (Wang et al., 2023, arXiv 2112.06074, ES-WMV).

    The window ends with the newest one. A generator that fits one picture comes near the clean one before it fits the
    noise; where it passes, what it makes changes least.

    Args:
        window: W, the number of validations.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.seen: list[Tensor] = []

    def variance(self, outputs: Tensor) -> float | None:
        """Return (1/W) sum |x_w - mean x|^2 over the newest W outputs; None while there are fewer.

        Args:
            outputs: of the same inputs at every call.
        """
        self.seen = [*self.seen, outputs.detach().float().cpu()][-self.window :]
        if len(self.seen) < self.window:
            return None
        stacked = torch.stack(self.seen).flatten(1)
        return (stacked - stacked.mean(0)).square().sum(1).mean().item()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {"seen": self.seen}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.seen = list(state["seen"])
