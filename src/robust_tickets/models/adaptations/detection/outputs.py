"""What a detector returns: an object that computes losses and detections, in training and in evaluation alike.

Targets are a list with a mapping for each image: `boxes`, float32 [n, 4], left, top, right, bottom in pixels of the
image, of positive width and height; `labels`, int64 [n], classes counted from 0. Detections also have `scores`,
float32 [n] in [0, 1], highest first.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, roi_align

from robust_tickets.foundation.seeds import global_stream

Detected = dict[str, Tensor]
"""`boxes`, `labels` and, of what was found, `scores`."""

BoxTargets = Sequence[Mapping[str, Tensor]]


class Anchors(NamedTuple):
    """The boxes that predictions are relative to, the same for every image of a size."""

    boxes: Tensor
    """float32 [A, 4], pixels."""
    counts: list[int]
    """How many of them each level has."""


class DetectionOutputs(ABC):
    """What a detector computed from a batch of images."""

    background: ClassVar[int] = 0
    """By how much torchvision's class numbers are higher than ours."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device that all of it is on."""

    @abstractmethod
    def image(self, index: int) -> Self:
        """Return what was computed from one image, as from a batch of one."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return what the network's layers computed, by name; gradients reach all of its parameters from there."""

    @abstractmethod
    def torchvisions_losses(self, targets: list[Detected]) -> dict[str, Tensor]:
        """Return the losses of the batch, with classes numbered as torchvision numbers them."""

    @abstractmethod
    def detections(self) -> list[Detected]:
        """Return the detections in each image, after torchvision's thresholds and non-maximum suppression."""

    def losses(self, targets: BoxTargets) -> dict[str, Tensor]:
        """Return torchvision's losses of the batch, scalars by its names; their sum is what is minimised.

        Two-stage detectors draw regions from torch's global generator.
        """
        return self.torchvisions_losses(
            [{"boxes": one["boxes"], "labels": one["labels"] + self.background} for one in targets]
        )

    def per_image(self, targets: BoxTargets) -> Tensor:
        """Return the sum of the losses of each image by itself, [N]; regions are drawn alike at every call."""
        values = []
        for index, target in enumerate(targets):
            with global_stream(0, "detection", device=self.device):
                values.append(torch.stack(list(self.image(index).losses([target]).values())).sum())
        return torch.stack(values)


class OneStageOutputs(DetectionOutputs):
    """What a head computed for every anchor.

    Args:
        network: the detector.
        head: what torchvision calls `head_outputs`, each [N, A, values].
        anchors: of all levels.
        size: height and width of the images.
    """

    def __init__(self, network: Any, head: dict[str, Tensor], anchors: Anchors, size: tuple[int, int]) -> None:
        self.network, self.head, self.anchors, self.size = network, head, anchors, size

    @property
    def device(self) -> torch.device:
        """The device that all of it is on."""
        return self.anchors.boxes.device

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.head["cls_logits"])

    def image(self, index: int) -> Self:
        """Return what was computed from one image."""
        one = {name: values[index : index + 1] for name, values in self.head.items()}
        return type(self)(self.network, one, self.anchors, self.size)

    def tensors(self) -> dict[str, Tensor]:
        """Return the head's outputs."""
        return self.head

    @abstractmethod
    def scores(self) -> Tensor:
        """Return the score of every class at every anchor, [N, A, classes] in [0, 1]."""

    def boxes(self) -> Tensor:
        """Return the box at every anchor, [N, A, 4] in pixels, clipped at the border."""
        moves = self.head["bbox_regression"]
        anchors = self.anchors.boxes.repeat(len(moves), 1)
        boxes = self.network.box_coder.decode_single(moves.flatten(0, 1), anchors)
        return clip_boxes_to_image(boxes.reshape(moves.shape), self.size)

    def torchvisions_losses(self, targets: list[Detected]) -> dict[str, Tensor]:
        """Return the losses of the batch."""
        return self.network.compute_loss(targets, self.head, [self.anchors.boxes] * self.count)

    def detections(self) -> list[Detected]:
        """Return the detections in each image, after torchvision's thresholds and non-maximum suppression."""
        return AnchorsFound(self.network, self.boxes(), self.scores()).detections()


class RetinaNetOutputs(OneStageOutputs):
    """RetinaNet's: a logit for each class, and the offsets of the box from its anchor."""

    def scores(self) -> Tensor:
        """Return the sigmoid of the logits."""
        return self.head["cls_logits"].sigmoid()


class FCOSOutputs(OneStageOutputs):
    """FCOS's: a logit for each class, distances to the four sides, and center-ness."""

    def torchvisions_losses(self, targets: list[Detected]) -> dict[str, Tensor]:
        """Return the losses of the batch."""
        return self.network.compute_loss(targets, self.head, [self.anchors.boxes] * self.count, self.anchors.counts)

    def boxes(self) -> Tensor:
        """Return the box around every place."""
        boxes = self.network.box_coder.decode(self.head["bbox_regression"], self.anchors.boxes)
        return clip_boxes_to_image(boxes, self.size)

    def scores(self) -> Tensor:
        """Return the geometric mean of the class's score and the center-ness."""
        return (self.head["cls_logits"].sigmoid() * self.head["bbox_ctrness"].sigmoid()).sqrt()


class SSDOutputs(OneStageOutputs):
    """SSD's and SSDLite's: logits of the classes and the background, and the offsets from the default box."""

    background = 1

    def torchvisions_losses(self, targets: list[Detected]) -> dict[str, Tensor]:
        """Return the losses of the batch."""
        matched = [self.matched(one["boxes"]) for one in targets]
        return self.network.compute_loss(targets, self.head, [self.anchors.boxes] * self.count, matched)

    def matched(self, boxes: Tensor) -> Tensor:
        """Return which of the boxes each default box is matched to, int64 [A]; negative: none."""
        if not len(boxes):
            return torch.full((len(self.anchors.boxes),), -1, dtype=torch.int64, device=self.device)
        return self.network.proposal_matcher(box_iou(boxes, self.anchors.boxes))

    def scores(self) -> Tensor:
        """Return the softmax of the logits, without the background's."""
        return self.head["cls_logits"].softmax(-1)[..., 1:]


class AnchorsFound:
    """Boxes and scores of all anchors, as a network or a file exported from it gives them.

    Args:
        network: the detector, which knows torchvision's thresholds.
        boxes: [N, A, 4], pixels.
        scores: [N, A, classes].
    """

    def __init__(self, network: Any, boxes: Tensor, scores: Tensor) -> None:
        self.network, self.boxes, self.scores = network, boxes, scores

    @property
    def device(self) -> torch.device:
        """The device that all of it is on."""
        return self.boxes.device

    def detections(self) -> list[Detected]:
        """Return the detections in each image, after torchvision's thresholds and non-maximum suppression."""
        return [self._of(boxes, scores) for boxes, scores in zip(self.boxes, self.scores, strict=True)]

    def _of(self, boxes: Tensor, scores: Tensor) -> Detected:
        found = []
        for block, anchor, label in self.network.blocks(scores):
            flat = block.flatten()
            sure = (flat > self.network.score_thresh).nonzero().flatten()
            value, best = flat[sure].topk(min(len(sure), self.network.topk_candidates))
            place = sure[best]
            found.append((boxes[anchor + place // block.shape[1]], value, label + place % block.shape[1]))
        kept, value, label = (torch.cat(parts) for parts in zip(*found, strict=True))
        order = batched_nms(kept, value, label, self.network.nms_thresh)[: self.network.detections_per_img]
        return {"boxes": kept[order], "scores": value[order], "labels": label[order]}


class TwoStageOutputs(DetectionOutputs):
    """What Faster R-CNN's backbone and first stage computed; the second stage runs on the regions it is asked for.

    Args:
        network: the detector.
        features: of the pyramid, [N, width, h, w] by level.
        objectness: whether an anchor has an object, logits [N, A].
        moves: of the anchors, [N, A, 4].
        anchors: of all levels.
        size: height and width of the images.
    """

    background = 1

    def __init__(
        self,
        network: Any,
        features: dict[str, Tensor],
        objectness: Tensor,
        moves: Tensor,
        anchors: Anchors,
        size: tuple[int, int],
    ) -> None:
        self.network, self.features, self.objectness, self.moves = network, features, objectness, moves
        self.anchors, self.size = anchors, size

    @property
    def device(self) -> torch.device:
        """The device that all of it is on."""
        return self.anchors.boxes.device

    def image(self, index: int) -> Self:
        """Return what was computed from one image."""
        one = slice(index, index + 1)
        features = {name: values[one] for name, values in self.features.items()}
        return type(self)(
            self.network,
            features,
            self.objectness[one],
            self.moves[one],
            self.anchors,
            self.size,
        )

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.objectness)

    @cached_property
    def proposals(self) -> list[Tensor]:
        """The regions of each image that the first stage proposes, [n, 4] in pixels, without gradients."""
        coder, anchors = self.network.rpn.box_coder, [self.anchors.boxes] * self.count
        boxes = coder.decode(self.moves.detach().flatten(0, 1), anchors).view(self.count, -1, 4)
        sizes = [self.size] * self.count
        return self.network.rpn.filter_proposals(boxes, self.objectness, sizes, self.anchors.counts)[0]

    def regions(self, proposals: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits [R, classes + 1] and moves [R, 4 (classes + 1)] of the regions of all images."""
        heads = self.network.roi_heads
        pooled = heads.box_roi_pool(self.features, proposals, [self.size] * len(proposals))
        logits, moves = heads.box_predictor(heads.box_head(pooled))
        return logits.float(), moves.float()

    def tensors(self) -> dict[str, Tensor]:
        """Return the first stage's outputs, and the second's on one region of every level in the middle of images.

        The regions do not depend on the first stage, whose choices would jump where its outputs hardly change.
        """
        heads, found = self.network.roi_heads, []
        for name in heads.box_roi_pool.featmap_names:
            features = self.features[name]
            region = torch.tensor([[0.25, 0.25, 0.75, 0.75]]).to(features) * features.shape[-1]
            pooled = roi_align(features, [region] * len(features), heads.box_roi_pool.output_size)
            found.append(heads.box_predictor(heads.box_head(pooled)))
        logits, moves = (torch.cat(parts) for parts in zip(*found, strict=True))
        return {"objectness": self.objectness, "rpn_moves": self.moves, "logits": logits, "moves": moves}

    def torchvisions_losses(self, targets: list[Detected]) -> dict[str, Tensor]:
        """Return the losses of both stages."""
        rpn, heads, anchors = self.network.rpn, self.network.roi_heads, [self.anchors.boxes] * self.count
        labels, boxes = rpn.assign_targets_to_anchors(anchors, targets)
        objectness, rpn_moves = rpn.compute_loss(
            self.objectness.flatten(), self.moves.flatten(0, 1), labels, rpn.box_coder.encode(boxes, anchors)
        )
        proposals, _, labels, wanted = heads.select_training_samples(self.proposals, targets)
        classes, moves = fastrcnn_loss(*self.regions(proposals), labels, wanted)
        return {
            "loss_classifier": classes,
            "loss_box_reg": moves,
            "loss_objectness": objectness,
            "loss_rpn_box_reg": rpn_moves,
        }

    def detections(self) -> list[Detected]:
        """Return the detections in each image, after torchvision's thresholds and non-maximum suppression."""
        sizes = [self.size] * self.count
        found = self.network.roi_heads.postprocess_detections(*self.regions(self.proposals), self.proposals, sizes)
        return [
            {"boxes": boxes, "scores": scores, "labels": labels - self.background}
            for boxes, scores, labels in zip(*found, strict=True)
        ]
