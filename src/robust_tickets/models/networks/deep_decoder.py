"""Deep Decoder: a picture from few parameters, without convolutions over places."""

import re

from torch import Tensor, nn
from torch.nn import functional as F

from robust_tickets.models.adaptations.generator import Generator
from robust_tickets.models.networks.cifar_resnet import width_of

WIDTH = 128
"""Channels of every layer, and of the noise."""


class DecoderLayer(nn.Module):
    """A mixture of channels, doubled in size but for the last one, a ReLU and a norm (see `unet_prior.py`)."""

    def __init__(self, width: int, doubles: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.InstanceNorm2d(width, affine=True)
        self.doubles = doubles

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, width, h, w] to the same, or to twice that height and width."""
        x = self.conv(x)
        if self.doubles:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.norm(F.relu(x))


class DeepDecoder(Generator):
    """1 x 1 convolutions between bilinear upsamplings (Heckel and Hand, 2019, arXiv 1810.03982): 100,224 parameters.

    Args:
        doublings: k; pictures are 2^k times as large as the noise.
        width: channels of every layer.
        channels: of pictures.
    """

    def __init__(self, doublings: int, width: int, channels: int) -> None:
        super().__init__(channels)
        self.layers = nn.Sequential(*(DecoderLayer(width, index < doublings) for index in range(doublings + 1)))
        self.output = nn.Conv2d(width, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map noise [N, width, h, w] to pictures [N, C, 2^k h, 2^k w] in [0, 1]."""
        return self.to_picture(self.output(self.layers(x)))


PATTERN = re.compile(r"prior/decoder([1-6])(?:-x([\d.]+))?")


def doublings_of(name: str) -> int:
    """Return k."""
    found = PATTERN.fullmatch(name)
    assert found is not None
    return int(found[1])


def channels_of(name: str) -> int:
    """Return the channels of every layer.

    Raises:
        UserError: the width factor is not a number, or leaves no channel.
    """
    found = PATTERN.fullmatch(name)
    assert found is not None
    return width_of(name, WIDTH, found[2])


def deep_decoder(name: str, channels: int) -> DeepDecoder:
    """Build `prior/decoder5`, or one of another width as in `prior/decoder5-x0.5`."""
    return DeepDecoder(doublings_of(name), channels_of(name), channels)
