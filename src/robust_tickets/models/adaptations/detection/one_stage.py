"""Detectors of one stage over a feature pyramid: RetinaNet and FCOS."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.retinanet import RetinaNetHead

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.detection.network import RATIOS, Blueprint, DetectionNetwork
from robust_tickets.models.adaptations.detection.outputs import (
    AnchorsFound,
    FCOSOutputs,
    OneStageOutputs,
    RetinaNetOutputs,
)
from robust_tickets.models.adaptations.detection.pyramid import with_two_more


class OneStageNetwork(DetectionNetwork):
    """A detector whose head looks at every anchor of every level at once."""

    made: ClassVar[type[OneStageOutputs]]
    backbone: Any
    head: Any
    anchor_generator: Any

    def outputs(self, images: Tensor, size: tuple[int, int]) -> OneStageOutputs:
        """Return what the head computes."""
        maps = list(self.backbone(images).values())
        head = {name: values.float() for name, values in self.head(maps).items()}
        return self.made(self, head, self.anchors(self.anchor_generator, images, maps), size)

    def exported(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes [N, A, 4] in pixels and scores [N, A, classes] of all anchors of normalised images."""
        found = self(x)
        return found.boxes(), found.scores()

    def answered(self, tensors: Sequence[Tensor]) -> AnchorsFound:
        """Return what computes detections from the boxes and scores of an exported file."""
        return AnchorsFound(self, *tensors)

    def blocks(self, scores: Tensor) -> Iterator[tuple[Tensor, int, int]]:
        """Yield an image's scores [A, classes] in blocks; in each block only the best candidates are considered.

        With each block come the numbers of its first anchor and its first class. By default a block is a level.
        """
        counts = next(one.counts for one in self._anchors.values() if sum(one.counts) == len(scores))
        first = 0
        for block in scores.split(counts):
            yield block, first, 0
            first += len(block)

    def entering(self) -> list[int]:
        """Return how many channels enter the head from each level."""
        branch: Any = self.head.classification_head
        layers = getattr(branch, "module_list", None) or [branch.conv] * len(self.anchor_generator.sizes)
        return [next(part for part in layer.modules() if isinstance(part, nn.Conv2d)).in_channels for layer in layers]


class RetinaNetNetwork(OneStageNetwork, RetinaNet):  # pyright: ignore[reportIncompatibleMethodOverride]
    """RetinaNet (Lin et al., 2017, arXiv 1708.02002)."""

    made = RetinaNetOutputs

    def __init__(self, blueprint: Blueprint) -> None:
        """Build it on the last three levels; anchors are four strides wide, and two thirds of an octave more."""
        backbone, strides = with_two_more(blueprint.body, blueprint.levels[-3:], blueprint.adaptation.width)
        sizes = tuple(tuple(int(4 * stride * 2 ** (third / 3)) for third in range(3)) for stride in strides)
        RetinaNet.__init__(
            self, backbone, blueprint.num_classes, anchor_generator=AnchorGenerator(sizes, (RATIOS,) * len(strides))
        )
        self.adopt(blueprint, blueprint.levels[-1].stride)

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head like this one."""
        with global_stream(seed, "head"):
            return RetinaNetHead(self.entering()[0], self.anchor_generator.num_anchors_per_location()[0], num_classes)


class FCOSNetwork(OneStageNetwork, FCOS):  # pyright: ignore[reportIncompatibleMethodOverride]
    """FCOS (Tian et al., 2019, arXiv 1904.01355)."""

    made = FCOSOutputs

    def __init__(self, blueprint: Blueprint) -> None:
        """Build it on the last three levels; an anchor, which stands for a place, is one stride wide."""
        backbone, strides = with_two_more(blueprint.body, blueprint.levels[-3:], blueprint.adaptation.width)
        anchors = AnchorGenerator(tuple((stride,) for stride in strides), ((1.0,),) * len(strides))
        FCOS.__init__(self, backbone, blueprint.num_classes, anchor_generator=anchors)
        self.adopt(blueprint, blueprint.levels[-1].stride)

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head like this one."""
        with global_stream(seed, "head"):
            return FCOSHead(self.entering()[0], 1, num_classes)
