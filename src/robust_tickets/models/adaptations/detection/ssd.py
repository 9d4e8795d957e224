"""SSD and SSDLite: detectors of one stage over the backbone's last levels and extra ones."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD, SSDHead, _xavier_init
from torchvision.models.detection.ssdlite import SSDLiteHead, _extra_block, _normal_init

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.detection.network import Blueprint
from robust_tickets.models.adaptations.detection.one_stage import OneStageNetwork
from robust_tickets.models.adaptations.detection.outputs import SSDOutputs
from robust_tickets.models.adaptations.detection.pyramid import ExtendedBackbone

SSD_LEVELS = 6
"""Of SSD and SSDLite, as in the papers; fewer where the last ones would have no place."""

SSDLITE_NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
"""torchvision's choice for the layers that SSDLite adds."""


class SSDNetwork(OneStageNetwork, SSD):  # pyright: ignore[reportIncompatibleMethodOverride]
    """SSD (Liu et al., 2016, arXiv 1512.02325)."""

    made = SSDOutputs
    from_body: ClassVar[int] = 3
    """How many levels come from the backbone itself."""
    settings: ClassVar[dict[str, Any]] = {}
    """What torchvision sets for it, other than the defaults of the class."""

    def __init__(self, blueprint: Blueprint) -> None:
        """Build it on the backbone's last levels and extra ones, at most six in all."""
        levels = blueprint.levels[-self.from_body :]
        widths = [level.channels for level in levels]
        side = max(blueprint.size) // levels[-1].stride
        extra: list[nn.Module] = []
        for width in self.extra_widths(blueprint.adaptation.width)[: SSD_LEVELS - len(levels)]:
            if side > 1:
                extra.append(self.extra_level(widths[-1], width))
                widths.append(width)
                side = -(-side // 2)
        boxes = self.default_boxes(len(widths))
        head = self.head_of(widths, boxes.num_anchors_per_location(), blueprint.num_classes + 1)
        SSD.__init__(
            self,
            ExtendedBackbone(blueprint.body, levels, extra),
            boxes,
            blueprint.size,
            blueprint.num_classes + 1,
            head=head,
            **self.settings,
        )
        self.adopt(blueprint, 1)

    def blocks(self, scores: Tensor) -> Iterator[tuple[Tensor, int, int]]:
        """Yield the scores of an image class by class."""
        for label, block in enumerate(scores.split(1, dim=1)):
            yield block, 0, label

    def extra_widths(self, width: int) -> tuple[int, ...]:
        """Return the channels of the extra levels."""
        return (2 * width, width, width)

    def extra_level(self, entering: int, width: int) -> nn.Module:
        """Return what makes a level of half the side."""
        level = nn.Sequential(
            nn.Conv2d(entering, width // 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // 2, width, 3, padding=1, stride=2),
            nn.ReLU(inplace=True),
        )
        _xavier_init(level)
        return level

    def default_boxes(self, levels: int) -> DefaultBoxGenerator:
        """Return torchvision's: 0.07 of the image's side, then evenly from 0.15 to 0.87."""
        scales = [0.07, *torch.linspace(0.15, 0.87, max(levels - 1, 1)).tolist(), 1.05]
        ratios = [[2], *[[2, 3]] * (levels - 3), [2], [2]] if levels > 2 else [[2]] * levels
        return DefaultBoxGenerator(ratios, scales=scales)

    def head_of(self, widths: Sequence[int], boxes: Sequence[int], classes: int) -> nn.Module:
        """Return a head for a number of classes, background included."""
        return SSDHead(list(widths), list(boxes), classes)

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head like this one."""
        with global_stream(seed, "head"):
            return self.head_of(self.entering(), self.anchor_generator.num_anchors_per_location(), num_classes + 1)


class SSDLiteNetwork(SSDNetwork):
    """SSDLite: SSD with depthwise layers (Sandler et al., 2018, arXiv 1801.04381)."""

    from_body = 2
    settings: ClassVar[dict[str, Any]] = {
        "score_thresh": 0.001,
        "nms_thresh": 0.55,
        "detections_per_img": 300,
        "topk_candidates": 300,
    }

    def extra_widths(self, width: int) -> tuple[int, ...]:
        """Return the channels of the extra levels."""
        return (2 * width, width, width, width // 2)

    def extra_level(self, entering: int, width: int) -> nn.Module:
        """Return what makes a level of half the side."""
        level = _extra_block(entering, width, SSDLITE_NORM)
        _normal_init(level)
        return level

    def default_boxes(self, levels: int) -> DefaultBoxGenerator:
        """Return torchvision's: evenly from 0.2 to 0.95 of the image's side."""
        return DefaultBoxGenerator([[2, 3]] * levels, min_ratio=0.2, max_ratio=0.95)

    def head_of(self, widths: Sequence[int], boxes: Sequence[int], classes: int) -> nn.Module:
        """Return a head for a number of classes, background included."""
        return SSDLiteHead(list(widths), list(boxes), classes, SSDLITE_NORM)
