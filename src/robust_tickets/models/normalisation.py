"""The normalisation in front of a network for images."""

import torch
from torch import Tensor, nn

from robust_tickets.models.pixels import Pixels


class Normalisation(nn.Module):
    """`(images - mean) / std` of every channel.

    A separate module, so that `normalise.mean` is the full name of its constant: an exporter names results of
    operations `mean`, and where a network takes the mean of something, one of two such names would be lost.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Pixels) -> None:
        super().__init__()
        shape = (1, preprocessing.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(shape), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N, C, H, W] in [0, 1] to what the architecture was trained on."""
        return (images - self.mean) / self.std
