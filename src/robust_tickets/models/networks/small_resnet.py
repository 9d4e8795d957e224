"""torchvision's ResNets for 32 x 32 images: a 3 x 3 stem of stride 1 and no max-pooling, same names."""

import re

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from robust_tickets.models.networks.cifar_resnet import width_of

LAYOUTS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "18": (BasicBlock, (2, 2, 2, 2)),
    "34": (BasicBlock, (3, 4, 6, 3)),
    "50": (Bottleneck, (3, 4, 6, 3)),
    "101": (Bottleneck, (3, 4, 23, 3)),
}


class SmallResNet(nn.Module):
    """Four stages of torchvision's residual blocks at widths w, 2w, 4w, 8w behind a small stem."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layout: tuple[int, ...],
        width: int,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        entering = width

        def stage(channels: int, count: int, stride: int) -> nn.Sequential:
            nonlocal entering
            blocks: list[nn.Module] = []
            for index in range(count):
                downsample = None
                step = stride if index == 0 else 1
                if step != 1 or entering != channels * block.expansion:
                    downsample = nn.Sequential(
                        nn.Conv2d(entering, channels * block.expansion, 1, step, bias=False),
                        nn.BatchNorm2d(channels * block.expansion),
                    )
                blocks.append(block(entering, channels, step, downsample))
                entering = channels * block.expansion
            return nn.Sequential(*blocks)

        self.layer1 = stage(width, layout[0], 1)
        self.layer2 = stage(2 * width, layout[1], 2)
        self.layer3 = stage(4 * width, layout[2], 2)
        self.layer4 = stage(8 * width, layout[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(entering, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        return self.fc(torch.flatten(self.avgpool(out), 1))


def small_resnet(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> SmallResNet:
    """Build `small/resnet<depth>[-x<width factor>]`."""
    depth, factor = re.fullmatch(r"small/resnet(\d+)(?:-x([\d.]+))?", name).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return SmallResNet(*LAYOUTS[depth], width_of(name, 64, factor), num_classes, in_channels)
