"""A classifier turned into a network that labels pixels: its backbone under a segmentation head."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.heads import get_head, width_of
from robust_tickets.models.network import Network
from robust_tickets.models.networks.small_resnet import SmallResNet
from robust_tickets.models.segmentation_settings import SegmentationSettings
from robust_tickets.pruning.masks import Masks

BACKBONE, HEAD = "backbone", "classifier"
"""Where both lie in a segmentation network, by torchvision's names."""

HEADS: dict[str, type[DeepLabHead] | type[FCNHead]] = {"deeplabv3": DeepLabHead, "fcn": FCNHead}

DILATED_STRIDE = 16
"""The output stride of the papers (Chen et al., 2017), where strides can become dilations."""


class SegmentationNetwork(nn.Module):
    """A backbone and a head, named as in torchvision's segmentation networks; logits at the size of the images."""

    def __init__(self, backbone: nn.Module, head: nn.Module, settings: SegmentationSettings) -> None:
        super().__init__()
        self.backbone, self.classifier, self.settings = backbone, head, settings

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes, H, W]."""
        logits = self.classifier(feature_map(self.backbone, x))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


def segmenter(
    classifier: Network,
    settings: SegmentationSettings,
    num_classes: int,
    size: tuple[int, int],
    seed: int,
    name: str,
) -> Network:
    """Return a network of the classifier's own layers, without its head, under a fresh segmentation head.

    The weights are those of `classifier`, which is taken apart; their names have `backbone.` in front.

    Args:
        classifier: of images; its body offers a feature map, see `backbone_of`.
        settings: which head, and the output stride.
        num_classes: number of classes a pixel may have, 2 or more.
        size: height and width of the images, which takes the place of the preprocessing's.
        seed: the head is initialised by torch's default from its stream `head`.
        name: what messages call the network.

    Raises:
        UserError: the network has no feature map, or its strides cannot become dilations.
    """
    entering = width_of(get_head(classifier.body, classifier.head))
    backbone = backbone_of(classifier.body, classifier.head, name)
    width, stride = measured(backbone, classifier, entering, name)
    dilatable = isinstance(classifier.body, ResNet | SmallResNet)
    wanted = settings.output_stride or (DILATED_STRIDE if dilatable else stride)
    if stride > wanted:
        if not dilatable:
            raise UserError(
                f"segmentation.output_stride: {name} has {stride}, and only the strides of "
                "torchvision's ResNets and small/ can become dilations; leave it out"
            )
        dilate(backbone, round(math.log2(stride / wanted)))
    with global_stream(seed, "head"):
        head = HEADS[settings.head](width, num_classes)
    body = SegmentationNetwork(backbone, head.to(classifier.mean.device), settings)
    return Network(body, classifier.interface.model_copy(update={"size": size}), HEAD)


def backbone_of(body: nn.Module, head: str, name: str) -> nn.Module:
    """Return a network's layers up to its last feature map; names of parameters stay as they are.

    That is up to `layer4` of torchvision's ResNets and small/; all but the head where there is a method
    `forward_features` (timm, cifar/, demo/); and `features` of torchvision's other convolutional networks.

    Raises:
        UserError: there is none of these.
    """
    if isinstance(body, ResNet | SmallResNet):
        return IntermediateLayerGetter(body, {"layer4": "out"})
    if hasattr(body, "forward_features"):
        owner, _, leaf = head.rpartition(".")
        setattr(body.get_submodule(owner), leaf, nn.Identity())
        return body
    features = getattr(body, "features", None)
    if isinstance(features, nn.Module):
        return nn.ModuleDict({"features": features})
    raise UserError(
        f"{name} cannot label pixels: it has neither forward_features nor features, so its last feature "
        "map is not known; use a ResNet of torchvision, small/, cifar/ or demo/, or a convolutional network of timm"
    )


def feature_map(backbone: nn.Module, x: Tensor) -> Tensor:
    """Return the last feature map [N, channels, h, w] of normalised images [N, C, H, W]."""
    if isinstance(backbone, IntermediateLayerGetter):
        return backbone(x)["out"]
    if isinstance(backbone, nn.ModuleDict):
        return backbone["features"](x)
    network: Any = backbone
    return network.forward_features(x)


def measured(backbone: nn.Module, classifier: Network, entering: int, name: str) -> tuple[int, int]:
    """Return width and output stride of a backbone's feature map, at the size the classifier is made for.

    `entering` is the width of what entered the classifier's head, by which channels in last place are told.

    Raises:
        UserError: what it gives is no feature map with channels first.
    """
    preprocessing = classifier.interface
    probe = torch.zeros(1, preprocessing.channels, *preprocessing.size, device=classifier.mean.device)
    mode = backbone.training
    backbone.eval()
    with torch.no_grad():
        features = feature_map(backbone, probe)
    backbone.train(mode)
    channels_last = features.dim() == 4 and features.shape[1] != entering == features.shape[3]
    if features.dim() != 4 or channels_last:
        raise UserError(
            f"{name} cannot label pixels: its features have shape {tuple(features.shape)}, not [N, channels, h, w]; "
            "use a convolutional network"
        )
    return features.shape[1], 2 ** round(math.log2(preprocessing.size[0] / features.shape[2]))


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


def placed(masks: Mapping[str, Tensor], classifier: Network) -> Masks:
    """Return a ticket's masks by the names that its weights have in `classifier`, which may label pixels.

    Raises:
        UserError: a mask's weight is not there, or has another shape.
    """
    parameters = dict(classifier.body.named_parameters())
    labels_pixels = isinstance(classifier.body, SegmentationNetwork)
    found: Masks = {}
    for name, mask in masks.items():
        place = f"{BACKBONE}.{name}" if labels_pixels and name not in parameters else name
        if place not in parameters or parameters[place].shape != mask.shape:
            there = f"of shape {tuple(parameters[place].shape)}" if place in parameters else "not there"
            raise UserError(
                f"the ticket masks {name} of shape {tuple(mask.shape)}, which is {there} in the network trained here; "
                f"draw it with this layer exempt, as in draw.prunable.exempt: ['{name}']"
            )
        found[place] = mask
    return found
