"""What a backbone gets to find objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class DetectionHead(Adaptation):
    """What a backbone gets to find objects."""

    kind: Literal["detection"] = "detection"
    head: Literal["fasterrcnn", "retinanet", "fcos", "ssd", "ssdlite"] = Field(
        default="fasterrcnn",
        description="torchvision's Faster R-CNN, RetinaNet or FCOS over a feature pyramid, or its SSD or SSDLite over "
        "the backbone's last levels and extra ones.",
    )
    width: int = Field(
        default=256,
        ge=64,
        multiple_of=32,
        description="Channels of the feature pyramid, or of the extra levels of SSD and SSDLite; a multiple of 32 from "
        "64 on.",
    )
    frozen_norm: bool = Field(
        default=True,
        description="Whether the backbone's batch norms stay as they came: statistics, scale and shift.",
    )

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return a network that finds objects; see `detector.py`."""
        from robust_tickets.models.adaptations.detection.detector import detector

        return detector(network, self, num_classes, interface, seed, name)
