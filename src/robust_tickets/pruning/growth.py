"""Where connections grow: what removed weights rank by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.trainee import Trainee

if TYPE_CHECKING:
    from torch import Tensor

Growth = Literal["gradient", "random"]


def steepest(trainee: Trainee) -> Mapping[str, Tensor]:
    """Return the dense gradients of the coming batch: one more pass over it (RigL, arXiv 1911.11134)."""
    return trainee.gradients()


def by_chance(trainee: Trainee) -> Mapping[str, Tensor]:
    """Return uniform random numbers, others at each step; no gradient is asked for (SET, arXiv 1707.04780)."""
    chances = {}
    for name, weight in trainee.weights().items():
        stream = generator(trainee.seed, "growth", trainee.step, name)
        chances[name] = torch.rand(weight.shape, generator=stream).to(weight.device)
    return chances


GROWTHS: Mapping[Growth, Callable[[Trainee], Mapping[str, Tensor]]] = {"gradient": steepest, "random": by_chance}
"""The highest absolute values grow."""
