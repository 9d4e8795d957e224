"""Images whose every pixel has a label, as a data set."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.file_facts import ImageFacts, LabelFacts, image_facts, label_facts, usable
from robust_tickets.data.fit import PIL_FILTERS, Interpolation
from robust_tickets.data.image_files import open_image
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

    def image(self, image: Image.Image) -> Tensor:
        """Return the image uint8 `(C, H, W)`, scaled to fit inside `size`; what it does not fill is black."""
        image = self._placed(image.convert("L" if self.channels == 1 else "RGB"), PIL_FILTERS[self.interpolation], 0)
        pixels = torch.from_numpy(np.array(image)).reshape(*self.size, self.channels)
        return pixels.permute(2, 0, 1).contiguous()

    def label(self, label: Tensor) -> Tensor:
        """Return class numbers uint8 `(H, W)`, scaled as their image is; what they do not fill is void (255)."""
        if tuple(label.shape) == self.size:
            return label
        return torch.from_numpy(np.array(self._placed(Image.fromarray(label.numpy()), Image.Resampling.NEAREST, VOID)))

    def _placed(self, image: Image.Image, resampling: Image.Resampling, around: int) -> Image.Image:
        height, width = self.size
        if image.size == (width, height):
            return image
        scale = min(height / image.height, width / image.width)
        inner = (min(width, round(image.width * scale)), min(height, round(image.height * scale)))
        whole = Image.new(image.mode, (width, height), around if image.mode == "L" else (around,) * 3)
        whole.paste(image.resize(inner, resampling), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return whole


class PixelImages(Dataset[tuple[Tensor, Tensor]]):
    """Images with a class number a pixel, decoded when asked for, or kept where they fit into `MEMORY_LIMIT`.

    Args:
        listing: the files.
        facts: what is known of each image and its label image.
        values: what the values of the label images mean.
        fit: the network's input geometry.
        decoded: images uint8 `(N, C, H, W)` and class numbers uint8 `(N, H, W)`, where they are kept.
    """

    def __init__(
        self,
        listing: PixelListing,
        facts: Sequence[tuple[ImageFacts, LabelFacts]],
        values: LabelValues,
        fit: PixelFit,
        decoded: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.listing, self.facts, self.values, self.fit, self.decoded = listing, tuple(facts), values, fit, decoded
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
        facts = [self.facts[index] for index in indices.tolist()]
        return PixelImages(self.listing.subset(indices), facts, self.values, self.fit, decoded)

    def digest(self) -> str:
        """Return a fingerprint of names and contents of the files, and of what label values mean."""
        digest = hashlib.sha256(f"{self.values.classes}{self.values.ignore}".encode())
        for files, facts in zip(
            zip(self.listing.files, self.listing.label_files, strict=True), self.facts, strict=True
        ):
            digest.update(f"{files[0]}|{facts[0].digest}|{files[1]}|{facts[1].digest}\n".encode())
        return digest.hexdigest()


def decoded_pair(listing: PixelListing, values: LabelValues, fit: PixelFit, index: int) -> tuple[Tensor, Tensor]:
    """Return one image, uint8 `(C, H, W)`, and its class numbers, uint8 `(H, W)`.

    Raises:
        UserError: a file is unreadable, the two differ in size, or a label value means nothing.
    """
    image, label = open_image(listing.path(index)), values.read(listing.label_path(index))
    require_one_size(listing, index, (image.height, image.width), (label.shape[0], label.shape[1]))
    return fit.image(image), fit.label(label)


def require_one_size(listing: PixelListing, index: int, image: tuple[int, int], label: tuple[int, int]) -> None:
    """Refuse an image and a label image of different (height, width).

    Raises:
        UserError: they are.
    """
    if image != label:
        raise UserError(
            f"{listing.label_path(index)}: is {label[1]} x {label[0]} pixels and its image {image[1]} x {image[0]}; "
            "they must have one size"
        )


def decode_pairs(listing: PixelListing, values: LabelValues, fit: PixelFit) -> PixelImages:
    """See that every pair can be decoded, in threads, and keep them where they fit into memory.

    Raises:
        UserError: see `decoded_pair`.
    """
    count, (height, width) = len(listing.files), fit.size
    keep = count * (fit.channels + 1) * height * width <= MEMORY_LIMIT
    images = torch.empty(count if keep else 0, fit.channels, height, width, dtype=torch.uint8)
    labels = torch.empty(count if keep else 0, height, width, dtype=torch.uint8)

    def put_image(index: int, image: Image.Image) -> None:
        images[index] = fit.image(image)

    def put_label(index: int, label: Tensor) -> None:
        labels[index] = fit.label(values.numbers(label, listing.label_path(index)))

    image_side = usable(image_facts(listing.root, listing.files, put_image if keep else None))
    label_side = usable(label_facts(listing.root, listing.label_files, put_label if keep else None))
    meaningful = {value for value in range(256) if values.table[value] >= 0}
    for index, (image, label) in enumerate(zip(image_side, label_side, strict=True)):
        require_one_size(listing, index, (image.height, image.width), (label.height, label.width))
        if not meaningful.issuperset(label.values):
            values.read(listing.label_path(index))
    facts = list(zip(image_side, label_side, strict=True))
    return PixelImages(listing, facts, values, fit, (images, labels) if keep else None)
