"""The demo's network: four residual blocks for 16 x 16 images, small enough to train on a laptop's CPU."""

import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.models.networks.cifar_resnet import BasicBlock


class DemoResNet(nn.Module):
    """A stem, four basic blocks at widths 16, 32, 64, 128, global average pooling, one linear layer."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(BasicBlock(16, 16, 2, True), BasicBlock(16, 32, 1, True))
        self.layer2 = nn.Sequential(BasicBlock(32, 64, 2, True), BasicBlock(64, 128, 2, True))
        self.fc = nn.Linear(128, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to the last feature map [N, 128, H / 8, W / 8]."""
        return self.forward_intermediates(x)[-1]

    def forward_intermediates(self, x: Tensor, intermediates_only: bool = True) -> list[Tensor]:
        """Return the maps behind all blocks, finest first; named as timm names it, of whose forms it has this one."""
        maps = [F.relu(self.bn1(self.conv1(x)))]
        for block in (*self.layer1, *self.layer2):
            maps.append(block(maps[-1]))
        return maps[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        return self.fc(self.forward_features(x).mean((2, 3)))


def demo_resnet(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> DemoResNet:
    """Build `demo/resnet4`."""
    return DemoResNet(num_classes, in_channels)
