"""Exponential moving average of weights, kept alongside the trained ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """`average <- decay * average + (1 - decay) * weights` after every step, over all parameters; buffers stay.

    Removed weights are zero in both terms, so averaging cannot revive them.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(module.named_parameters())
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Fold in the current weights; called after every optimiser step."""
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            list(self.average.values()), list(self.parameters.values()), 1 - self.decay
        )

    def restart(self) -> None:
        """Forget the past: the average becomes the current weights (masks changed, or weights rewound)."""
        self.load_state(self.parameters)

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in the place of the weights."""
        for name, value in self.average.items():
            self.parameters[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average in the place of the weights for the duration."""
        weights = [value.detach().clone() for value in self.parameters.values()]
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.parameters.values(), weights, strict=True):
                    parameter.copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep."""
        return self.average

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Resume from a checkpoint's average."""
        for name, value in state.items():
            self.average[name].copy_(value)
