"""Small classifiers whose every parameter and statistic matters, and masks over their channels."""

import torch
from torch import Tensor, nn

from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels

SIDE = 24


class Residual(nn.Module):
    """A small residual network with a grouped, a depthwise and a strided convolution."""

    def __init__(self, width: int = 24, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.wide = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.BatchNorm2d(2 * width), nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width),
            nn.BatchNorm2d(2 * width), nn.SiLU(),
            nn.Conv2d(2 * width, width, 1), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.grouped = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width // 2), nn.ReLU(), nn.Conv2d(width, width, 1),
        )  # fmt: skip
        self.down = nn.Sequential(nn.Conv2d(width, 3 * width, 3, stride=2), nn.BatchNorm2d(3 * width), nn.ReLU())
        self.fc = nn.Linear(3 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        stream = self.stem(images)
        stream = stream + self.wide(stream)
        stream = stream + self.grouped(stream)
        return self.fc(self.down(stream).mean((2, 3)))


def classifier(seed: int = 0, width: int = 24) -> Network:
    torch.manual_seed(seed)
    body = Residual(width)
    with torch.no_grad():
        for name, tensor in [*body.named_parameters(), *body.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.3)
            elif name.endswith("running_var") or (tensor.dim() == 1 and tensor.is_floating_point()):
                tensor.uniform_(0.5, 2.0)
    preprocessing = Pixels(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), size=(SIDE, SIDE))
    return Network(body, preprocessing, "fc").eval()


def example() -> Tensor:
    return torch.zeros(1, 3, SIDE, SIDE)


def channel_masks(body: nn.Module, fraction: float, seed: int = 0) -> dict[str, Tensor]:
    """Mask a fraction of every coupling's channels, producers and followers, at random."""
    masks = {name: torch.ones_like(value, dtype=torch.bool) for name, value in body.named_parameters()}
    random = torch.Generator().manual_seed(seed)
    for coupling in trace_couplings(body, example(), weights_by_type(body)):
        dead = torch.randperm(coupling.channels, generator=random)[: int(fraction * coupling.channels)]
        for member in (*coupling.producers, *coupling.followers):
            masks[member.parameter].index_fill_(member.dim, member.index[dead].flatten(), False)
    return masks


def element_masks(body: nn.Module, sparsity: float) -> dict[str, Tensor]:
    """Mask single weights at random."""
    random = torch.Generator().manual_seed(0)
    parameters = dict(body.named_parameters())
    return {
        name: torch.rand(parameters[name].shape, generator=random) >= sparsity for name in weights_by_type(body)[:-1]
    }
