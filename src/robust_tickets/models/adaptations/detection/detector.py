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
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import require_pixels

NETWORKS: dict[str, type[DetectionNetwork]] = {
    "fasterrcnn": FasterRCNNNetwork,
    "retinanet": RetinaNetNetwork,
    "fcos": FCOSNetwork,
    "ssd": SSDNetwork,
    "ssdlite": SSDLiteNetwork,
}


def detector(
    network: Network, adaptation: DetectionHead, num_classes: int, interface: Interface, seed: int, name: str
) -> Network:
    """Return a network of a source's own layers, without its head, under a fresh detector.

    Args:
        network: of images; its body offers feature maps at several strides, see `levels_of`. It is taken apart.
        adaptation: which detector.
        num_classes: number of classes of objects, without the background; 1 or more.
        interface: of its images, whose size takes the place of the network's.
        seed: what is fresh is initialised as torchvision does it from stream `head`.
        name: what messages call the network.

    Raises:
        UserError: the network has no such feature maps.
    """
    cannot = f"{name} cannot find objects"
    pixels = require_pixels(interface, cannot)
    size = pixels.size
    body, levels = levels_of(network, size, cannot)
    if adaptation.frozen_norm:
        freeze_norms(body)
    kind: Any = NETWORKS[adaptation.head]
    with global_stream(seed, "head"):
        made = kind(Blueprint(body, levels, num_classes, adaptation, size))
    made = Network(made.to(network.device), pixels, kind.head_path)
    with torch.no_grad():
        tried(made.body.eval(), torch.zeros(1, pixels.channels, *size, device=made.device), cannot)
    made.body.train()
    return made
