"""Images whose every pixel has a label, as a data set."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.fit import PIL_FILTERS, Interpolation
from robust_tickets.data.image_files import in_threads, open_image
from robust_tickets.data.label_values import IGNORED, VOID, LabelValues
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.foundation.errors import UserError

MEMORY_LIMIT = 2**30
"""Bytes up to which a part is kept decoded."""

EVALUATED_AT_ONCE = 2**20
"""Pixels in a batch of evaluation: the logits of all of them are in memory at once."""


@dataclass(frozen=True)
class PixelFit:
    """The network's input geometry for images with label images: all of the image is kept.

    Attributes:
        size: height and width, in pixels.
        channels: 1 (grey) or 3 (RGB).
        interpolation: the filter used for images; label images are resized by their nearest pixel.
    """

    size: tuple[int, int]
    channels: int
    interpolation: Interpolation = "bilinear"

    def __call__(self, image: Image.Image, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image uint8 `(C, H, W)` and its label uint8 `(H, W)`, scaled to fit inside `size`.

        What they do not fill is black and void (255).
        """
        image = image.convert("L" if self.channels == 1 else "RGB")
        height, width = self.size
        if image.size != (width, height):
            scale = min(height / image.height, width / image.width)
            inner = (min(width, round(image.width * scale)), min(height, round(image.height * scale)))
            place = ((width - inner[0]) // 2, (height - inner[1]) // 2)
            whole = Image.new(image.mode, (width, height))
            whole.paste(image.resize(inner, PIL_FILTERS[self.interpolation]), place)
            labels = Image.new("L", (width, height), VOID)
            labels.paste(Image.fromarray(label.numpy()).resize(inner, Image.Resampling.NEAREST), place)
            image, label = whole, torch.from_numpy(np.array(labels))
        pixels = torch.from_numpy(np.array(image)).reshape(height, width, self.channels)
        return pixels.permute(2, 0, 1).contiguous(), label


class PixelImages(Dataset[tuple[Tensor, Tensor]]):
    """Images with a class number a pixel, decoded when asked for, or kept where they fit into `MEMORY_LIMIT`.

    Args:
        listing: the files.
        values: what the values of the label images mean.
        fit: the network's input geometry.
        decoded: images uint8 `(N, C, H, W)` and class numbers uint8 `(N, H, W)`, where they are kept.
    """

    def __init__(
        self, listing: PixelListing, values: LabelValues, fit: PixelFit, decoded: tuple[Tensor, Tensor] | None
    ) -> None:
        self.listing, self.values, self.fit, self.decoded = listing, values, fit, decoded
        self.labels = listing.labels

    def __len__(self) -> int:
        return len(self.listing.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a float image `(C, H, W)` in [0, 1] and class numbers, int64 `(H, W)`; -100 where void."""
        images, labels = self.pairs(torch.tensor([index]))
        return images[0], labels[0]

    def pairs(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return float images `(n, C, H, W)` in [0, 1] and class numbers, int64 `(n, H, W)`; -100 where void."""
        if self.decoded is not None:
            images, labels = (part[indices] for part in self.decoded)
        else:
            found = [decoded_pair(self.listing, self.values, self.fit, index) for index in indices.tolist()]
            images, labels = (torch.stack([pair[side] for pair in found]) for side in (0, 1))
        labels = labels.long()
        return images.float().div_(255), labels.masked_fill_(labels == VOID, IGNORED)

    @property
    def evaluated_at_once(self) -> int:
        """Images in a batch of evaluation, at most."""
        return max(1, EVALUATED_AT_ONCE // (self.fit.size[0] * self.fit.size[1]))

    def subset(self, indices: Tensor) -> "PixelImages":
        """Return the images at `indices`."""
        decoded = None if self.decoded is None else (self.decoded[0][indices], self.decoded[1][indices])
        return PixelImages(self.listing.subset(indices), self.values, self.fit, decoded)

    def digest(self) -> str:
        """Return a fingerprint of names and lengths of the files, and of what label values mean."""
        digest = hashlib.sha256(f"{self.values.classes}{self.values.ignore}".encode())
        for index, names in enumerate(zip(self.listing.files, self.listing.label_files, strict=True)):
            paths = (self.listing.path(index), self.listing.label_path(index))
            lengths = [path.stat().st_size for path in paths]
            digest.update(f"{names[0]}|{lengths[0]}|{names[1]}|{lengths[1]}\n".encode())
        return digest.hexdigest()


def decoded_pair(listing: PixelListing, values: LabelValues, fit: PixelFit, index: int) -> tuple[Tensor, Tensor]:
    """Return one image, uint8 `(C, H, W)`, and its class numbers, uint8 `(H, W)`.

    Raises:
        UserError: a file is unreadable, the two differ in size, or a label value means nothing.
    """
    image, label = open_image(listing.path(index)), values.read(listing.label_path(index))
    if (image.height, image.width) != label.shape:
        raise UserError(
            f"{listing.label_path(index)}: is {label.shape[1]} x {label.shape[0]} pixels and its image "
            f"{image.width} x {image.height}; they must have one size"
        )
    return fit(image, label)


def decode_pairs(listing: PixelListing, values: LabelValues, fit: PixelFit) -> PixelImages:
    """Decode every pair once, in threads, and keep them where they fit into memory.

    Raises:
        UserError: see `decoded_pair`.
    """
    count, (height, width) = len(listing.files), fit.size
    keep = count * (fit.channels + 1) * height * width <= MEMORY_LIMIT
    images = torch.empty(count if keep else 0, fit.channels, height, width, dtype=torch.uint8)
    labels = torch.empty(count if keep else 0, height, width, dtype=torch.uint8)

    def work(index: int) -> None:
        pair = decoded_pair(listing, values, fit, index)
        if keep:
            images[index], labels[index] = pair

    in_threads(work, range(count))
    return PixelImages(listing, values, fit, (images, labels) if keep else None)
