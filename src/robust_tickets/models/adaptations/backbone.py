"""A network's layers up to its last feature map."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import ResNet

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.heads import get_head, width_of
from robust_tickets.models.network import Network
from robust_tickets.models.networks.small_resnet import SmallResNet


def backbone_of(classifier: Network, name: str, does: str) -> tuple[nn.Module, int, int]:
    """Return a network's layers up to its last feature map, with that map's channels and output stride.

    That is up to `layer4` of torchvision's ResNets and small/; all but the head where there is a method
    `forward_features` (timm, cifar/, demo/); and `features` of torchvision's other convolutional networks. Names of
    parameters stay as they are.

    Args:
        classifier: of images; it is taken apart.
        name: what messages call it.
        does: what its backbone is wanted for, as in `labels pixels`.

    Raises:
        UserError: there is none of these, or what it gives is not a feature map with channels first.
    """
    entering = width_of(get_head(classifier.body, classifier.head))
    backbone = layers_below(classifier.body, classifier.head, {"layer4": "out"}, "forward_features")
    cannot = f"{name} cannot {does.replace('s ', ' ', 1)}"
    if backbone is None:
        raise UserError(
            f"{cannot}: it has neither forward_features nor features, so its last feature map is unknown; use a ResNet "
            "from torchvision, small/, cifar/ or demo/, or a convolutional network of timm"
        )
    features = features_of(backbone, classifier)
    # Channels in last place are recognised by the width of the head's input.
    channels_last = features.dim() == 4 and features.shape[1] != entering == features.shape[3]
    if features.dim() != 4 or channels_last:
        raise UserError(
            f"{cannot}: its features have shape {tuple(features.shape)}, not [N, channels, h, w]; use a convolutional "
            "network"
        )
    return backbone, features.shape[1], 2 ** round(math.log2(classifier.pixels.size[0] / features.shape[2]))


def layers_below(body: nn.Module, head: str, stages: dict[str, str], method: str) -> nn.Module | None:
    """Return the layers up to the last feature map; None if it is not known which these are.

    Args:
        body: it is taken apart.
        head: path of its head.
        stages: of torchvision's ResNets and small/, those whose maps are wanted, with the names they are given.
        method: by which other networks give their maps.
    """
    if isinstance(body, ResNet | SmallResNet):
        return IntermediateLayerGetter(body, stages)
    if hasattr(body, method):
        owner, _, leaf = head.rpartition(".")
        setattr(body.get_submodule(owner), leaf, nn.Identity())
        return body
    features = getattr(body, "features", None)
    return nn.ModuleDict({"features": features}) if isinstance(features, nn.Module) else None


def feature_map(backbone: nn.Module, x: Tensor) -> Tensor:
    """Return the last feature map [N, channels, h, w] of normalised images [N, C, H, W]."""
    if isinstance(backbone, IntermediateLayerGetter):
        return backbone(x)["out"]
    if isinstance(backbone, nn.ModuleDict):
        return backbone["features"](x)
    network: Any = backbone
    return network.forward_features(x)


@torch.no_grad()
def features_of(backbone: nn.Module, classifier: Network) -> Tensor:
    """Return the feature map of one black image of the size that the classifier is made for."""
    probe = classifier.pixels.example(1).to(classifier.device)
    mode = backbone.training
    backbone.eval()
    features = feature_map(backbone, probe)
    backbone.train(mode)
    return features
