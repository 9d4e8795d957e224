"""ResNet-2B of the robustness verification literature: two residual blocks, biases, no batch norm."""

import torch.nn.functional as F
from torch import Tensor, nn


class PlainBlock(nn.Module):
    """Two 3 x 3 convolutions with biases and a shortcut, projected if the shape changes."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Sequential(*([] if same else [nn.Conv2d(in_channels, channels, 1, stride)]))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in, h, w] to [N, channels, h / stride, w / stride]."""
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class ResNet2B(nn.Module):
    """A stem of stride 2, two blocks at 16 channels, two linear layers."""

    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 8, 3, 2, 1)
        self.layer1 = nn.Sequential(PlainBlock(8, 16, 2), PlainBlock(16, 16, 1))
        height, width = (-(-side // 4) for side in size)
        self.linear1 = nn.Linear(16 * height * width, 100)
        self.linear2 = nn.Linear(100, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        out = self.layer1(F.relu(self.conv1(x)))
        return self.linear2(F.relu(self.linear1(out.flatten(1))))


def resnet2b(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> ResNet2B:
    """Build `resnet2b`."""
    return ResNet2B(num_classes, in_channels, size)
