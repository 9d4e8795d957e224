"""What a backbone gets to label pixels."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class SegmentationSettings(Settings):
    """What a backbone gets to label pixels."""

    head: Literal["deeplabv3", "fcn"] = Field(
        default="deeplabv3",
        description="torchvision's DeepLabV3 head (dilated pyramid pooling) or its FCN head (two convolutions).",
    )
    output_stride: Literal[8, 16] | None = Field(
        default=None,
        description="Largest number of pixels between features, strides turned into dilations; default: 16 for "
        "torchvision's ResNets and small/, the network's own for others.",
    )
