"""Faster R-CNN, the detector of two stages."""

import copy
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.detection.network import RATIOS, Blueprint, DetectionNetwork
from robust_tickets.models.adaptations.detection.outputs import (
    TwoStageOutputs,
)
from robust_tickets.models.adaptations.detection.pyramid import Pyramid


class FasterRCNNNetwork(DetectionNetwork, FasterRCNN):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Faster R-CNN (Ren et al., 2015, arXiv 1506.01497)."""

    head_path = "roi_heads"
    unexportable = (
        "which regions its second stage looks at depends on what its first stage finds; use head retinanet, fcos, ssd "
        "or ssdlite, or leave shrinking out of a recipe (shrink: null)"
    )

    def __init__(self, blueprint: Blueprint) -> None:
        """Build it on the last four levels; anchors are eight strides wide."""
        levels = blueprint.levels[-4:]
        strides = [*(level.stride for level in levels), 2 * levels[-1].stride]
        FasterRCNN.__init__(
            self,
            Pyramid(blueprint.body, levels, blueprint.adaptation.width, LastLevelMaxPool()),
            blueprint.num_classes + 1,
            rpn_anchor_generator=AnchorGenerator(tuple((8 * stride,) for stride in strides), (RATIOS,) * len(strides)),
            box_roi_pool=MultiScaleRoIAlign([str(place) for place in range(len(levels))], 7, 2),
        )
        self.adopt(blueprint, levels[-1].stride)

    def outputs(self, images: Tensor, size: tuple[int, int]) -> TwoStageOutputs:
        """Return the pyramid, and what the first stage computes from it."""
        rpn: Any = self.rpn
        features = self.backbone(images)
        maps = list(features.values())
        objectness, moves = (part.float() for part in concat_box_prediction_layers(*rpn.head(maps)))
        objectness, moves = objectness.view(len(images), -1), moves.view(len(images), -1, 4)
        anchors = self.anchors(rpn.anchor_generator, images, maps)
        return TwoStageOutputs(self, features, objectness, moves, anchors, size)

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a fresh second stage of this one's shape; the first does not classify, and stays."""
        heads: Any = copy.deepcopy(self.roi_heads)
        with global_stream(seed, "head"):
            heads.box_head = TwoMLPHead(heads.box_head.fc6.in_features, heads.box_head.fc7.out_features)
            heads.box_predictor = FastRCNNPredictor(heads.box_head.fc7.out_features, num_classes + 1)
        return heads
