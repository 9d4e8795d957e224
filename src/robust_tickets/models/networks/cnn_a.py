"""CNN-A of the robustness verification literature: two convolutions, two linear layers."""

from torch import nn


def cnn_a(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Build `cnn-a`: convolutions 4 x 4 of stride 2 with 16 and 32 filters, then 100 units."""
    height, width = (side // 4 for side in size)
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * height * width, 100),
        nn.ReLU(),
        nn.Linear(100, num_classes),
    )
