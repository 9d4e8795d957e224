"""The user's own torch data set, with whatever transforms it has."""

import hashlib
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from robust_tickets.data.fit import Fit, convert_channels, resize
from robust_tickets.data.sample_streams import sample_stream
from robust_tickets.foundation.errors import UserError

TARGET_ATTRIBUTES = ("targets", "labels", "_labels", "y")


def to_image(value: Any, where: str) -> Image.Image | Tensor:
    """Return a PIL image, or a float tensor `(C, H, W)` in [0, 1], from what a user's data set gives.

    Raises:
        UserError: it is neither an image nor a tensor of one, or its values leave [0, 1].
    """
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, np.ndarray):
        # NumPy images are channels-last, by the convention of torchvision's to_tensor.
        value = torch.from_numpy(value).permute(2, 0, 1) if value.ndim == 3 else torch.from_numpy(value)[None]
    if not isinstance(value, Tensor) or value.ndim not in (2, 3):
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise UserError(
            f"{where}: a {type(value).__name__}{shape} is not an image; give PIL, or a tensor (C, H, W)"
        )
    image = value[None] if value.ndim == 2 else value
    if image.shape[0] not in (1, 3):
        raise UserError(f"{where}: the image has shape {tuple(image.shape)}; 1 or 3 channels come first")
    if image.dtype == torch.uint8:
        return image.float() / 255
    if not image.is_floating_point():
        raise UserError(
            f"{where}: the image has values of type {image.dtype}; give uint8, or floats in [0, 1]"
        )
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        raise UserError(
            f"{where}: the image has values from {low:.3g} to {high:.3g}, outside [0, 1]; normalisation lives inside "
            "the network here, so remove Normalize from the transforms"
        )
    return image.float()


def stored_labels(dataset: Any) -> list[int] | None:
    """Return the labels a data set stores, or None where only its items tell them."""
    if getattr(dataset, "target_transform", None) is not None:
        return None
    if isinstance(dataset, torch.utils.data.Subset):
        inner = stored_labels(dataset.dataset)
        return None if inner is None else [inner[index] for index in dataset.indices]
    if isinstance(dataset, torch.utils.data.ConcatDataset):
        parts = [stored_labels(part) for part in dataset.datasets]
        return (
            None if any(part is None for part in parts) else [label for part in parts for label in part or ()]
        )
    if isinstance(dataset, torch.utils.data.TensorDataset):
        return dataset.tensors[1].tolist()
    for name in TARGET_ATTRIBUTES:
        found = getattr(dataset, name, None)
        if found is not None and len(found) == len(dataset):
            return [int(label) for label in found]
    return None


class UserImages(Dataset[tuple[Tensor, int]]):
    """Chosen items of a user's map-style data set of (image, label).

    Random transforms are seeded for each sample, so that batches resume exactly. Taken one by one, or for
    evaluation, each item's randomness is fixed: a random crop is then always the same crop.

    Args:
        dataset: the user's data set; images are PIL, uint8 or float in [0, 1].
        labels: int64 `(N,)`, one for each chosen item.
        indices: int64 `(N,)`, the chosen items.
        fit: the network's input geometry.
        name: what messages call the data set.
    """

    def __init__(self, dataset: Any, labels: Tensor, indices: Tensor, fit: Fit, name: str) -> None:
        self.dataset = dataset
        self.labels = labels
        self.indices = indices
        self.fit = fit
        self.name = name

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a float image `(C, H, W)` in [0, 1] and its label."""
        image = self.original(index, 0, "item", index)
        return self.fitted(image), int(self.labels[index])

    def original(self, index: int, seed: int, *stream: str | int) -> Image.Image | Tensor:
        """Return the user's image, its random transforms drawn from the named stream.

        Raises:
            UserError: the item is not an image in [0, 1], or its label is not the one it had at first.
        """
        position = int(self.indices[index])
        where = f"{self.name}, item {position}"
        with sample_stream(seed, *stream):
            value, label = split_item(self.dataset[position], where)
        if label != int(self.labels[index]):
            raise UserError(f"{where}: has label {label} but was listed with {int(self.labels[index])}")
        return to_image(value, where)

    def fitted(self, image: Image.Image | Tensor) -> Tensor:
        """Return the float image `(C, H, W)` in [0, 1] at the network's size and channels."""
        if isinstance(image, Image.Image):
            return self.fit(image).float() / 255
        image = convert_channels(image, self.fit.channels)
        return resize(image[None], self.fit.size, self.fit.interpolation)[0]

    def subset(self, indices: Tensor) -> "UserImages":
        """Return the items at `indices`."""
        return UserImages(self.dataset, self.labels[indices], self.indices[indices], self.fit, self.name)

    def digest(self) -> str:
        """Return a fingerprint of the chosen positions and their labels."""
        digest = hashlib.sha256(f"{type(self.dataset).__name__}|{len(self.dataset)}|{self.fit}".encode())
        digest.update(self.indices.numpy().data)
        digest.update(self.labels.numpy().data)
        return digest.hexdigest()


def split_item(item: Any, where: str) -> tuple[Any, int]:
    """Return the image and label of one item.

    Raises:
        UserError: the item is no pair of an image and an integer label.
    """
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise UserError(f"{where}: is a {type(item).__name__}, not a pair (image, label)")
    image, label = item
    if isinstance(label, Tensor | np.ndarray | np.generic) and label.ndim == 0:
        label = label.item()
    if not isinstance(label, int):
        raise UserError(f"{where}: the label is a {type(label).__name__}; give a class number, 0 or more")
    return image, label
