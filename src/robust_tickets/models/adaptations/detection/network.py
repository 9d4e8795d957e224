"""What torchvision's detectors have in common, on a source's own layers; parameters are named as in torchvision.

`backbone.body` holds the source's layers under their own names, `backbone.fpn` the feature pyramid (for SSD and SSDLite
`backbone.extra` holds the levels after the backbone's), and `rpn`, `roi_heads` or `head` what torchvision puts on them.
Images have one size and are normalised, so torchvision's own transform is left out. A network returns an object
(`outputs.py`), in training and in evaluation alike, that computes losses and detections. torchvision's two-stage
detectors and SSDs count the background as class 0; here classes begin at 0, and only these files shift them.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from robust_tickets.models.adaptations.adapted_body import BACKBONE, AdaptedBody
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.detection.levels import Level
from robust_tickets.models.adaptations.detection.outputs import Anchors, DetectionOutputs

BODY = f"{BACKBONE}.body"
"""Where the source's own layers lie."""

RATIOS = (0.5, 1.0, 2.0)
"""Height by width of the anchors of Faster R-CNN and RetinaNet."""


class Blueprint(NamedTuple):
    """What a detector is built from."""

    body: nn.Module
    """The source's own layers."""
    levels: Sequence[Level]
    """Of its feature maps, the finest first."""
    num_classes: int
    """Classes of objects, without the background."""
    adaptation: DetectionHead
    size: tuple[int, int]
    """Height and width of the images, pixels."""


class DetectionNetwork(AdaptedBody):
    """What all detectors have in common; each subclass is also one of torchvision's."""

    does = "finds objects"
    least_classes = 1
    answers = ("boxes", "scores")
    head_path = "head"
    divisor: int
    """Images are padded with zeros on the right and at the bottom, until this divides their sides."""

    @abstractmethod
    def outputs(self, images: Tensor, size: tuple[int, int]) -> DetectionOutputs:
        """Return what the layers compute from padded images; `size` is their height and width before padding."""

    def forward(self, x: Tensor) -> DetectionOutputs:
        """Map normalised images [N, C, H, W] to an object that computes losses and detections."""
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % self.divisor, 0, -height % self.divisor))
        return self.outputs(padded, (height, width))

    def tensors(self, x: Tensor) -> dict[str, Tensor]:
        """Return what the layers compute from normalised images, by name."""
        return self(x).tensors()

    def place(self, name: str) -> str:
        """Return where a parameter or buffer of the source is in this body."""
        return f"{BODY}.{name}"

    @property
    def fresh(self) -> tuple[str, ...]:
        """Paths of what torchvision puts on the source's layers."""
        beside = (f"{BACKBONE}.{name}" for name, _ in self.get_submodule(BACKBONE).named_children())
        return (*super().fresh, *(path for path in beside if path != BODY))

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return None: what a detector returns has no shape to be compared."""
        return None

    def adopt(self, blueprint: Blueprint, divisor: int) -> None:
        """Set what torchvision's own constructor does not."""
        del self.transform
        self.num_classes, self.adaptation, self.divisor = blueprint.num_classes, blueprint.adaptation, divisor
        self._anchors: dict[Any, Anchors] = {}

    def anchors(self, generator: Any, images: Tensor, maps: Sequence[Tensor]) -> Anchors:
        """Return the anchors of all levels.

        They depend on sizes only, and are kept so that an exporter sees constants.
        """
        size = (images.shape[-2], images.shape[-1])
        if (key := (size, images.device)) not in self._anchors:
            places = [torch.empty(1, 1, *features.shape[-2:], device=images.device) for features in maps]
            (boxes,) = generator(ImageList(images, [size]), places)
            each = generator.num_anchors_per_location()
            counts = [place.numel() * number for place, number in zip(places, each, strict=True)]
            self._anchors[key] = Anchors(boxes, counts)
        return self._anchors[key]
