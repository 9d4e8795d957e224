"""Small classifiers with batch norm, images for them, and a way to see that nothing was changed."""

import copy

import torch
from torch import Tensor, nn

from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels


def network(seed: int = 0) -> Network:
    """An untrained network whose batch norm has seen other statistics than zeros and ones."""
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, bias=False),
        nn.Flatten(),
        nn.Linear(72, 3),
    )
    made = Network(body, Pixels(mean=(0.5,), std=(0.25,), size=(8, 8)), head="5")
    made(torch.rand(16, 1, 8, 8))
    return made.eval()


def images(count: int = 24, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    """Two batches of random images and labels."""
    random = torch.Generator().manual_seed(seed)
    pictures = torch.rand(count, 1, 8, 8, generator=random)
    return list(zip(pictures.split(16), (torch.arange(count) % 3).split(16), strict=True))


def half(classifier: Network, seed: int = 0) -> dict[str, Tensor]:
    """Masks that keep half of both convolutions, one filter of the first left with nothing; applied."""
    random = torch.Generator().manual_seed(seed)
    masks = {}
    for name in ("0.weight", "3.weight"):
        weight = classifier.body.get_parameter(name)
        masks[name] = torch.rand(weight.shape, generator=random) < 0.5
        masks[name][0] = False
        weight.data.mul_(masks[name])
    return masks


class Unchanged:
    """Notices any bit, mode or gradient that differs afterwards."""

    def __init__(self, *networks: Network) -> None:
        self.networks = networks
        self.before = [copy.deepcopy(network.state_dict()) for network in networks]
        self.modes = [[module.training for module in network.modules()] for network in networks]

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        for network, before, modes in zip(self.networks, self.before, self.modes, strict=True):
            for name, value in network.state_dict().items():
                assert torch.equal(value, before[name]), name
            assert modes == [module.training for module in network.modules()]
            assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
