"""From a source's network to a detector."""

from typing import Any

import torch

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.detection.faster_rcnn import FasterRCNNNetwork
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.detection.levels import levels_of, tried
from robust_tickets.models.adaptations.detection.network import Blueprint, DetectionNetwork
from robust_tickets.models.adaptations.detection.one_stage import FCOSNetwork, RetinaNetNetwork
from robust_tickets.models.adaptations.detection.ssd import SSDLiteNetwork, SSDNetwork
from robust_tickets.models.frozen_norms import freeze_norms
from robust_tickets.models.network import Network

NETWORKS: dict[str, type[DetectionNetwork]] = {
    "fasterrcnn": FasterRCNNNetwork,
    "retinanet": RetinaNetNetwork,
    "fcos": FCOSNetwork,
    "ssd": SSDNetwork,
    "ssdlite": SSDLiteNetwork,
}


def detector(
    network: Network, adaptation: DetectionHead, num_classes: int, size: tuple[int, int], seed: int, name: str
) -> Network:
    """Return a network of a source's own layers, without its head, under a fresh detector.

    Args:
        network: of images; its body offers feature maps at several strides, see `levels_of`. It is taken apart.
        adaptation: which detector.
        num_classes: number of classes of objects, without the background; 1 or more.
        size: height and width of the images, which takes the place of the interface's.
        seed: what is fresh is initialised as torchvision does it from stream `head`.
        name: what messages call the network.

    Raises:
        UserError: the network has no such feature maps.
    """
    cannot = f"{name} cannot find objects"
    body, levels = levels_of(network, size, cannot)
    if adaptation.frozen_norm:
        freeze_norms(body)
    kind: Any = NETWORKS[adaptation.head]
    with global_stream(seed, "head"):
        made = kind(Blueprint(body, levels, num_classes, adaptation, size))
    interface = network.pixels.model_copy(update={"size": size})
    made = Network(made.to(network.device), interface, kind.head_path)
    with torch.no_grad():
        tried(made.body.eval(), torch.zeros(1, interface.channels, *size, device=made.device), cannot)
    made.body.train()
    return made
