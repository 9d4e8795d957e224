"""The U-Net of Optimal Eye Surgeon: a deep image prior without skip connections."""

import re

from torch import Tensor, nn
from torch.nn import functional as F

from robust_tickets.models.adaptations.generator import Generator
from robust_tickets.models.networks.cifar_resnet import width_of

WIDTHS = (16, 32, 64, 128, 128, 128)
"""Channels of each level, from the finest on."""

DEPTH = 32
"""Channels of the noise."""

DOWN, UP = 5, 3
"""Sides of kernels on the way down and on the way up."""

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""


class UnetLayer(nn.Module):
    """A convolution that keeps the size of maps by reflecting their borders, then a norm and a leaky ReLU.

    With one picture, batch norm normalises each channel over the places of that picture, in training and afterwards.
    That is instance norm, which needs no running statistics.

    Args:
        before: channels that come in.
        after: channels that come out.
        side: of the kernel.
        halves: whether 2 x 2 places are averaged after the convolution; an odd last row or column stays alone.
    """

    def __init__(self, before: int, after: int, side: int, halves: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, side, padding=side // 2, padding_mode="reflect")
        self.norm = nn.InstanceNorm2d(after, affine=True)
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, h, w] to [N, after, h, w], or to half of that height and width."""
        x = self.conv(x)
        if self.halves:
            x = F.avg_pool2d(x, 2, ceil_mode=True)
        return F.leaky_relu(self.norm(x), LEAK)


class UnetLevel(nn.Module):
    """One level on the way down and up again: halves, goes through the levels below, and doubles.

    Args:
        before: channels that come from above.
        width: channels of this level.
        below: the levels below; None of the lowest.
        returned: channels that come back from them.
    """

    def __init__(self, before: int, width: int, below: nn.Module | None, returned: int) -> None:
        super().__init__()
        self.halving = UnetLayer(before, width, DOWN, halves=True)
        self.second = UnetLayer(width, width, DOWN)
        self.below = below
        self.norm = nn.InstanceNorm2d(returned, affine=True)
        self.back = UnetLayer(returned, width, UP)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, h, w] to [N, width, h, w]."""
        deep = self.second(self.halving(x))
        if self.below is not None:
            deep = self.below(deep)
        # Of an odd side the half is rounded up, so that twice as much is one too many.
        doubled = F.interpolate(deep, scale_factor=2.0, mode="nearest")[..., : x.shape[-2], : x.shape[-1]]
        return self.back(self.norm(doubled))


class UnetPrior(Generator):
    """Levels of two 5 x 5 convolutions down and one 3 x 3 convolution up, without connections across.

    Ghosh et al., 2024, arXiv 2406.05288; that of Deep Image Prior (Ulyanov et al., 2018, arXiv 1711.10925) with
    average pooling, nearest upsampling and reflected borders. With six levels it has 3,008,867 parameters.

    Args:
        widths: channels of each level, from the finest on.
        channels: of pictures.
    """

    def __init__(self, widths: tuple[int, ...], channels: int) -> None:
        super().__init__(channels)
        levels: nn.Module | None = None
        for index in reversed(range(len(widths))):
            returned = widths[min(index + 1, len(widths) - 1)]
            levels = UnetLevel(widths[index - 1] if index else DEPTH, widths[index], levels, returned)
        assert levels is not None
        self.levels = levels
        self.output = nn.Conv2d(widths[0], channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map noise [N, 32, H, W] to pictures [N, C, H, W] in [0, 1]."""
        return self.to_picture(self.output(self.levels(x)))


PATTERN = re.compile(r"prior/unet([1-6])(?:-x([\d.]+))?")


def unet_prior(name: str, channels: int) -> UnetPrior:
    """Build `prior/unet6`, or one with fewer levels, or of another width as in `prior/unet4-x0.5`.

    Raises:
        UserError: the width factor is not a number, or leaves no channel.
    """
    found = PATTERN.fullmatch(name)
    assert found is not None
    return UnetPrior(tuple(width_of(name, width, found[2]) for width in WIDTHS[: int(found[1])]), channels)


def least_side(name: str) -> int:
    """Return the smallest side of a picture: on the lowest level two places are reflected, for which it takes three."""
    found = PATTERN.fullmatch(name)
    assert found is not None
    return 2 * 2 ** int(found[1]) + 1
