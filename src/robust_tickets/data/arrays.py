"""Images of one size, held in memory."""

import hashlib

import torch
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.fit import Fit, Interpolation, convert_channels, resize

CHUNK = 1024
"""Images converted at once when a whole set is resized."""


class ImageArrays(Dataset[tuple[Tensor, int]]):
    """A map-style data set over one uint8 tensor.

    Images are kept at their own resolution and enlarged batch by batch: 50,000 images of 32 x 32 seen at
    224 x 224 take 150 MB, not 7.5 GB. Larger images are reduced once.

    Args:
        images: uint8 `(N, C, H, W)`.
        labels: int64 `(N,)`.
        size: height and width of the images given out; None: as they are.
        interpolation: the filter used for resizing.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        size: tuple[int, int] | None = None,
        interpolation: Interpolation = "bilinear",
    ) -> None:
        self.images = images
        self.labels = labels
        self.size: tuple[int, int] = size or (images.shape[2], images.shape[3])
        self.interpolation: Interpolation = interpolation

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a float image `(C, H, W)` in [0, 1] and its label."""
        return self.resized(self.floats(torch.tensor([index])))[0], int(self.labels[index])

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.images.shape[1]

    def floats(self, indices: Tensor) -> Tensor:
        """Return float images `(n, C, h, w)` in [0, 1] at their own resolution."""
        return self.images[indices].float().div_(255)

    def resized(self, images: Tensor) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1] at `size`."""
        return resize(images, self.size, self.interpolation)

    def subset(self, indices: Tensor) -> "ImageArrays":
        """Return the images at `indices`."""
        return ImageArrays(self.images[indices], self.labels[indices], size=self.size, interpolation=self.interpolation)

    def refitted(self, fit: Fit) -> "ImageArrays":
        """Return the same images for another input geometry; smaller ones are made at once.

        All images of an array show the same scene at one size, so they are resized whole: the geometry's
        `crop_fraction`, which is meant for photographs, is not applied.
        """
        images = convert_channels(self.images, fit.channels)
        if fit.size[0] * fit.size[1] < images.shape[2] * images.shape[3]:
            parts = [resize(part.float().div(255), fit.size, fit.interpolation) for part in images.split(CHUNK)]
            images = torch.cat([part.mul(255).round().to(torch.uint8) for part in parts])
        return ImageArrays(images, self.labels, size=fit.size, interpolation=fit.interpolation)

    def digest(self) -> str:
        """Return a fingerprint of images and labels."""
        digest = hashlib.sha256(f"{tuple(self.images.shape)}{self.size}".encode())
        for part in (self.images, self.labels):
            digest.update(part.contiguous().numpy().data)
        return digest.hexdigest()
