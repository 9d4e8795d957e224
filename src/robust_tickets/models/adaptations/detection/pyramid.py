"""Backbones of several levels: a source's layers under a feature pyramid, or with coarser levels after them."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelP6P7

from robust_tickets.models.adaptations.detection.levels import Level, feature_maps


class Pyramid(nn.Module):
    """A source's layers under a feature pyramid (Lin et al., 2017, arXiv 1612.03144)."""

    def __init__(self, body: nn.Module, levels: Sequence[Level], width: int, extra: ExtraFPNBlock) -> None:
        """Put a pyramid of `width` channels on the levels, and `extra` levels on it."""
        super().__init__()
        self.body, self.indices, self.out_channels = body, [level.index for level in levels], width
        self.fpn = FeaturePyramidNetwork([level.channels for level in levels], width, extra)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map normalised images [N, C, H, W] to features [N, width, h, w], finest first, by name."""
        maps = feature_maps(self.body, x)
        return self.fpn(OrderedDict((str(place), maps[index]) for place, index in enumerate(self.indices)))


class ExtendedBackbone(nn.Module):
    """A source's layers and levels beyond them, each half as fine as the one before (Liu et al., 2016)."""

    def __init__(self, body: nn.Module, levels: Sequence[Level], extra: Sequence[nn.Module]) -> None:
        """Put `extra` levels, one on another, on the last of the levels."""
        super().__init__()
        self.body, self.indices = body, [level.index for level in levels]
        self.extra = nn.ModuleList(extra)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map normalised images [N, C, H, W] to features [N, channels, h, w], finest first, by name."""
        maps = feature_maps(self.body, x)
        found = [maps[index] for index in self.indices]
        for block in self.extra:
            found.append(block(found[-1]))
        return OrderedDict((str(place), features) for place, features in enumerate(found))


def with_two_more(body: nn.Module, levels: Sequence[Level], width: int) -> tuple[Pyramid, list[int]]:
    """Return a pyramid with two levels more, and the strides of all of its levels."""
    last = levels[-1].stride
    strides = [*(level.stride for level in levels), 2 * last, 4 * last]
    return Pyramid(body, levels, width, LastLevelP6P7(width, width)), strides
