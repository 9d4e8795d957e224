"""Exponential moving average of weights, kept beside the trained ones."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """`average <- decay * average + (1 - decay) * weights` after every step; buffers are copied.

    Removed weights are zero in both terms, so averaging cannot revive them.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = module
        self.average = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Fold in the current weights; called after every optimiser step."""
        parameters = dict(self.module.named_parameters())
        names = [name for name in self.average if name in parameters]
        for name in names:
            self.average[name].lerp_(parameters[name], 1 - self.decay)
        for name, value in self.module.state_dict().items():
            if name not in parameters:
                self.average[name].copy_(value)

    @torch.no_grad()
    def restart(self) -> None:
        """Forget the past: the average becomes the current weights (masks changed, or weights rewound)."""
        for name, value in self.module.state_dict().items():
            self.average[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep."""
        return self.average

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up a checkpoint's average."""
        for name, value in state.items():
            self.average[name].copy_(value)
