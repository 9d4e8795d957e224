"""What data would say of the small network's weights, made up, for what holds whatever they say."""

from collections.abc import Mapping

import torch
from torch import Tensor

from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.statistics import Statistics
from tests.pruning.small_network import small_network, weights_of


class MadeUp(Statistics):
    """What data would say of the small network's weights."""

    def gradients(self, count: int, together: int = 1) -> dict[str, Tensor]:
        return {name: noise(name, count, *weight.shape) for name, weight in weights_of(small_network()).items()}

    def curvature(self, direction: Mapping[str, Tensor], examples: int) -> dict[str, Tensor]:
        return {name: noise(name, *one.shape) for name, one in direction.items()}

    def flow(self) -> dict[str, Tensor]:
        return {name: noise(name, *weight.shape).double().abs() for name, weight in weights_of(small_network()).items()}

    def input_moments(self, examples: int) -> dict[str, Tensor]:
        sizes = {
            "stem.weight": (1, 36),
            "depthwise.weight": (8, 9),
            "pointwise.weight": (1, 8),
            "hidden.weight": (1, 16),
        }
        inputs = {name: noise(name, divisions, 64, size).double() for name, (divisions, size) in sizes.items()}
        return {name: one.mT @ one / 64 for name, one in inputs.items()}


def noise(name: str, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(0, "made up", name))
