"""A supernet of mixed convolutions at two resolutions, after HR-NAS: a search removes its channels."""

import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNELS = (3, 5, 7)
"""Sides of the depthwise kernels that a block offers side by side."""

EXPANSION = 2
"""Hidden channels of each kernel, over those that come in."""


def normed(before: int, after: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size of maps, but for its stride, and its norm."""
    convolution = nn.Conv2d(before, after, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


class MixedPath(nn.Module):
    """A 1 x 1 convolution, a depthwise one of one size, and a 1 x 1 convolution; each hidden channel is an atom.

    An atom's gain is the scale of the norms on either side of the depthwise convolution.
    """

    def __init__(self, before: int, after: int, side: int, stride: int) -> None:
        super().__init__()
        hidden = EXPANSION * before
        self.expand = normed(before, hidden, 1)
        self.depthwise = normed(hidden, hidden, side, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, h, w] to [N, after, h / stride, w / stride]."""
        return self.project(F.relu(self.depthwise(F.relu(self.expand(x)))))


class MixedBlock(nn.Module):
    """Paths of all kernel sizes side by side, summed and normed, with a shortcut where shapes allow (HR-NAS)."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.paths = nn.ModuleList(MixedPath(before, after, side, stride) for side in KERNELS)
        self.norm = nn.BatchNorm2d(after)
        self.has_shortcut = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, h, w] to [N, after, h / stride, w / stride]."""
        mixed = self.norm(torch.stack([path(x) for path in self.paths]).sum(0))
        return F.relu(x + mixed if self.has_shortcut else mixed)


class TwoResolutions(nn.Module):
    """A block at either resolution, and then what each has to say to the other (HRNet)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine = MixedBlock(width, width)
        self.coarse = MixedBlock(2 * width, 2 * width)
        self.down = normed(width, 2 * width, 3, stride=2)
        self.up = normed(2 * width, width, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Map [N, w, h, w'] and [N, 2 w, h / 2, w' / 2] to the same shapes."""
        fine, coarse = self.fine(fine), self.coarse(coarse)
        from_coarse = F.interpolate(self.up(coarse), fine.shape[-2:], mode="nearest")
        return F.relu(fine + from_coarse), F.relu(coarse + self.down(fine))


class Supernet(nn.Module):
    """Mixed blocks at a half and a quarter of the input's resolution, joined at the finer one.

    Args:
        width: channels at the finer resolution; the coarser one has twice as many.
        depth: how many times both are gone through together.
        num_classes: outputs.
        in_channels: channels of images.
    """

    def __init__(self, width: int, depth: int, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = normed(in_channels, width, 3, stride=2)
        self.first = MixedBlock(width, width)
        self.branch = MixedBlock(width, 2 * width, stride=2)
        self.stages = nn.ModuleList(TwoResolutions(width) for _ in range(depth))
        self.joined = normed(3 * width, 4 * width, 1)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the map [N, 4 width, H / 2, W / 2] in which both resolutions are joined."""
        fine = self.first(F.relu(self.stem(x)))
        coarse = self.branch(fine)
        for stage in self.stages:
            fine, coarse = stage(fine, coarse)
        whole = torch.cat([fine, F.interpolate(coarse, fine.shape[-2:], mode="nearest")], 1)
        return F.relu(self.joined(whole))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        return self.fc(self.forward_features(x).mean((2, 3)))


PATTERN = re.compile(r"supernet/hr([1-9]\d*)-([1-9]\d*)")


def supernet(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> Supernet:
    """Build `supernet/hr8-2`: width 8 at the finer resolution, gone through twice."""
    found = PATTERN.fullmatch(name)
    assert found is not None
    return Supernet(int(found[1]), int(found[2]), num_classes, in_channels)
