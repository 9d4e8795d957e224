"""One small network with every kind of layer that groups treat differently, and its couplings."""

import torch
from torch import Tensor, nn

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.pruning.couplings import Coupling, Member

PRUNABLE = ("stem.weight", "depthwise.weight", "pointwise.weight", "hidden.weight")


class SmallNetwork(nn.Module):
    """3x3, depthwise and 1x1 convolutions with batch norms, a hidden layer and a head; input [N, 4, 6, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.pointwise = nn.Conv2d(8, 16, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(16)
        self.hidden = nn.Linear(16, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm1(self.stem(images)).relu()
        features = self.norm2(self.depthwise(features)).relu()
        features = self.norm3(self.pointwise(features)).relu()
        return self.head(self.hidden(features.mean((2, 3))).relu())


def small_network(seed: int = 0) -> SmallNetwork:
    with global_stream(seed, "small network"):
        return SmallNetwork()


def weights_of(network: nn.Module, names: tuple[str, ...] = PRUNABLE) -> dict[str, Tensor]:
    return {name: network.get_parameter(name).detach() for name in names}


def _members(channels: int, *names: str) -> tuple[Member, ...]:
    return tuple(Member(name, 0, torch.arange(channels)[:, None]) for name in names)


def _heads(name: str) -> tuple[Member, ...]:
    """The hidden layer as if it were four heads, three wide."""
    return (Member(name, 0, torch.arange(12).reshape(4, 3)),)


COUPLINGS = (
    Coupling(
        "stem.weight",
        8,
        _members(8, "stem.weight", "depthwise.weight"),
        _members(8, "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"),
    ),
    Coupling("pointwise.weight", 16, _members(16, "pointwise.weight"), _members(16, "norm3.weight", "norm3.bias")),
    Coupling("hidden.weight", 12, _members(12, "hidden.weight"), _members(12, "hidden.bias")),
    Coupling("heads", 4, _heads("hidden.weight"), _heads("hidden.bias"), are_heads=True),
)
