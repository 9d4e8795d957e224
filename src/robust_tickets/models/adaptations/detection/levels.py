"""A network's layers as a backbone of several levels: the last feature map at each stride."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.backbone import layers_below
from robust_tickets.models.forward_trace import FAULTS, one_line
from robust_tickets.models.network import Network


@dataclass(frozen=True)
class Level:
    """One level of a backbone."""

    index: int
    """Of its map among all that the backbone computes."""
    channels: int
    stride: int
    """Pixels of the image between neighbours, along either side."""


def levels_of(network: Network, size: tuple[int, int], cannot: str) -> tuple[nn.Module, list[Level]]:
    """Return a network's layers up to its last feature map, and the last map at each stride, the finest first.

    Maps are those behind `layer1` to `layer4` of torchvision's ResNets and small/; what timm's `forward_intermediates`
    gives, which cifar/ and demo/ have too; and those behind each layer of `features` of torchvision's other
    convolutional networks. Names of parameters stay as they are.

    Args:
        network: of images; it is taken apart.
        size: height and width of the images.
        cannot: the beginning of complaints, as in `resnet2b cannot find objects`.

    Raises:
        UserError: there are none of these, or the maps are not several with channels first.
    """
    body = layers_with_maps(network.body, network.head)
    if body is None:
        raise UserError(
            f"{cannot}: it has neither forward_intermediates nor features, so its feature maps are not known; use a "
            "ResNet of torchvision, small/, cifar/ or demo/, or a convolutional network of timm"
        )
    probe = torch.zeros(1, network.pixels.channels, *size, device=network.device)
    mode = body.training
    body.eval()
    with torch.no_grad():
        maps = tried(partial(feature_maps, body), probe, cannot)
    body.train(mode)
    levels: dict[int, Level] = {}
    for index, found in enumerate(maps):
        stride = stride_of(found, size)
        if stride is None or stride < max(levels, default=1):
            raise UserError(f"{cannot}: one of its maps has shape {tuple(found.shape)}, not [N, channels, h, w]")
        levels[stride] = Level(index, found.shape[1], stride)
    if len(levels) < 2:
        raise UserError(f"{cannot}: all its maps have one stride, {next(iter(levels), 1)}; use a convolutional network")
    return body, list(levels.values())


def tried(compute: Callable[[Tensor], Any], images: Tensor, cannot: str) -> Any:
    """Return what is computed of images.

    Raises:
        UserError: the code that computes it fails; the message says how.
    """
    try:
        return compute(images)
    except FAULTS as error:
        shape = " x ".join(map(str, images.shape[1:]))
        raise UserError(f"{cannot}: an image of {shape} fails: {type(error).__name__}: {one_line(error)}") from error


def stride_of(features: Tensor, size: tuple[int, int]) -> int | None:
    """Return the stride of a feature map, a power of two; None where it is none with channels first."""
    if features.dim() != 4:
        return None
    down, across = (round(log2(side / own)) for side, own in zip(size, features.shape[2:], strict=True))
    return 2**down if down == across else None


def layers_with_maps(body: nn.Module, head: str) -> nn.Module | None:
    """Return the layers up to the last feature map; None where it is not known which these are."""
    stages = {f"layer{number}": str(number) for number in range(1, 5)}
    layers = layers_below(body, head, stages, "forward_intermediates")
    if type(layers) is nn.ModuleDict and not isinstance(layers["features"], nn.Sequential):
        return None  # Only of a sequence is the map behind each layer known.
    return layers


def feature_maps(body: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the feature maps of normalised images [N, C, H, W], in the order in which they are computed."""
    if isinstance(body, IntermediateLayerGetter):
        return list(body(x).values())
    if isinstance(body, nn.ModuleDict):
        maps = []
        for layer in body["features"].children():
            x = layer(x)
            maps.append(x)
        return maps
    network: Any = body
    return network.forward_intermediates(x, intermediates_only=True)
