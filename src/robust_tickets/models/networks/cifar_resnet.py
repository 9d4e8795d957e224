"""ResNets for CIFAR: 6n + 2 layers of 16, 32 and 64 channels (He et al., 2016, section 4.2)."""

import re

import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, and zero channels on both sides; no parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in, h, w] to [N, out, h / stride, w / stride]."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = (
                nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
                if projection
                else PaddedShortcut(in_channels, channels, stride)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in, h, w] to [N, channels, h / stride, w / stride]."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """A stem, three stages of blocks at widths w, 2w, 4w, global average pooling, one linear layer."""

    def __init__(self, blocks: int, width: int, num_classes: int, in_channels: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)

        def stage(entering: int, channels: int, stride: int) -> nn.Sequential:
            first = BasicBlock(entering, channels, stride, projection)
            return nn.Sequential(first, *(BasicBlock(channels, channels, 1, projection) for _ in range(blocks - 1)))

        self.layer1 = stage(width, width, 1)
        self.layer2 = stage(width, 2 * width, 2)
        self.layer3 = stage(2 * width, 4 * width, 2)
        self.linear = nn.Linear(4 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to the last feature map [N, 4 w, H / 4, W / 4]."""
        return self.forward_intermediates(x)[-1]

    def forward_intermediates(self, x: Tensor, intermediates_only: bool = True) -> list[Tensor]:
        """Return the maps behind all stages, finest first; named as timm names it, of whose forms it has this one."""
        maps = [F.relu(self.bn1(self.conv1(x)))]
        for stage in (self.layer1, self.layer2, self.layer3):
            maps.append(stage(maps[-1]))
        return maps[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        return self.linear(self.forward_features(x).mean((2, 3)))


def cifar_resnet(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> CifarResNet:
    """Build `cifar/resnet<depth>[-b][-x<width factor>]`; `-b` asks for projection shortcuts (option B).

    Raises:
        UserError: the depth is not 6n + 2.
    """
    depth, option_b, factor = re.fullmatch(r"cifar/resnet(\d+)(-b)?(?:-x([\d.]+))?", name).groups()  # pyright: ignore[reportOptionalMemberAccess]
    blocks, rest = divmod(int(depth) - 2, 6)
    if rest or blocks < 1:
        raise UserError(f"{name}: the depth of a CIFAR ResNet is 6n + 2: 8, 14, 20, 26, 32, 44, 56, 110")
    return CifarResNet(blocks, width_of(name, 16, factor), num_classes, in_channels, bool(option_b))


def width_of(name: str, base: int, factor: str | None) -> int:
    """Return the width of the first stage, `base` times the factor, rounded.

    Raises:
        UserError: the factor is not a number, or leaves no channel.
    """
    try:
        width = round(base * float(factor or 1))
    except ValueError:
        raise UserError(f"{name}: {factor!r} is not a width factor; write -x2 or -x0.5") from None
    if width < 1:
        raise UserError(f"{name}: width factor {factor} leaves no channels; the smallest is {1 / base}")
    return width
