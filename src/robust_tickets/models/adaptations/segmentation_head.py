"""What a backbone gets to label pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class SegmentationHead(Adaptation):
    """What a backbone gets to label pixels."""

    kind: Literal["segmentation"] = "segmentation"
    head: Literal["deeplabv3", "fcn"] = Field(
        default="deeplabv3",
        description="torchvision's DeepLabV3 head (dilated pyramid pooling) or its FCN head (two convolutions).",
    )
    output_stride: Literal[8, 16] | None = Field(
        default=None,
        description="Largest number of pixels between features, reached by turning strides into dilations; default: 16 "
        "for torchvision's ResNets and small/, the network's own for others.",
    )

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return a network that labels pixels; see `segmentation.py`."""
        from robust_tickets.models.adaptations.segmentation import segmenter

        return segmenter(network, self, num_classes, interface, seed, name)
