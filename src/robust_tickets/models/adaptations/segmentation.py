"""A classifier turned into a network that labels pixels: its backbone under a segmentation head."""

import math

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.adaptations.backbone import backbone_of, feature_map
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.networks.small_resnet import SmallResNet
from robust_tickets.models.pixels import require_pixels

HEAD = "classifier"
"""Where the head lies, as in torchvision's segmentation networks."""

HEADS: dict[str, type[DeepLabHead] | type[FCNHead]] = {"deeplabv3": DeepLabHead, "fcn": FCNHead}

DILATED_STRIDE = 16
"""The output stride of the papers (Chen et al., 2017), where strides can become dilations."""


class SegmentationNetwork(AdaptedBody):
    """A backbone and a head, named as in torchvision's segmentation networks; logits at the size of the images."""

    does = "labels pixels"
    head_path = HEAD

    def __init__(self, backbone: nn.Module, width: int, num_classes: int, adaptation: SegmentationHead) -> None:
        """Put a head on a backbone whose feature map has `width` channels."""
        super().__init__()
        self.backbone, self.width, self.num_classes, self.adaptation = backbone, width, num_classes, adaptation
        self.classifier = HEADS[adaptation.head](width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes, H, W]."""
        logits = self.classifier(feature_map(self.backbone, x))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head of the same kind, initialised by torch's default."""
        with global_stream(seed, "head"):
            return type(self.classifier)(self.width, num_classes)

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return what the logits of two images should be, where they are not of this shape."""
        fits = len(shape) == 4 and shape[:2] == (2, self.num_classes)
        return None if fits else f"[2, {self.num_classes}, height, width]"


def segmenter(
    classifier: Network, adaptation: SegmentationHead, num_classes: int, interface: Interface, seed: int, name: str
) -> Network:
    """Return a network of the classifier's own layers, without its head, under a fresh segmentation head.

    Args:
        classifier: of images; its body offers a feature map, see `backbone_of`. It is taken apart.
        adaptation: which head, and the output stride.
        num_classes: number of classes a pixel may have, 2 or more.
        interface: of its images, whose size takes the place of the classifier's.
        seed: the head is initialised by torch's default from its stream `head`.
        name: what messages call the network.

    Raises:
        UserError: the network has no feature map, or its strides cannot become dilations.
    """
    pixels = require_pixels(interface, f"{name} cannot label pixels")
    dilatable = isinstance(classifier.body, ResNet | SmallResNet)
    backbone, width, stride = backbone_of(classifier, name, SegmentationNetwork.does)
    wanted = adaptation.output_stride or (DILATED_STRIDE if dilatable else stride)
    if stride > wanted:
        if not dilatable:
            raise UserError(
                f"task.output_stride: {name} has {stride}, and only torchvision's ResNets and small/ can turn strides "
                "into dilations; leave it out"
            )
        dilate(backbone, round(math.log2(stride / wanted)))
    with global_stream(seed, "head"):
        body = SegmentationNetwork(backbone, width, num_classes, adaptation)
    return Network(body.to(classifier.device), pixels, HEAD)


def dilate(backbone: nn.Module, count: int) -> None:
    """Turn the last `count` strides of 2 of a ResNet into dilations, in place (Chen et al., 2017).

    At every second pixel the new feature map is what the old one was: the weights see the same neighbours.
    """
    strided = [stage for stage in backbone.children() if isinstance(stage, nn.Sequential) and has_stride(stage)]
    dilation = 1
    for stage in strided[-count:]:
        passed = False
        for block in stage.children():
            assert isinstance(block, BasicBlock | Bottleneck)
            for module in block.modules():
                if not isinstance(module, nn.Conv2d):
                    continue
                reach = 2 * dilation if passed else dilation
                passed |= module.stride == (2, 2) and module.kernel_size != (1, 1)
                module.stride = (1, 1)
                module.dilation = (reach, reach)
                module.padding = tuple(reach * (side - 1) // 2 for side in module.kernel_size)
            block.stride = 1
        dilation *= 2


def has_stride(stage: nn.Module) -> bool:
    """Return whether a stage has a convolution of stride 2."""
    return any(isinstance(module, nn.Conv2d) and module.stride == (2, 2) for module in stage.modules())
