"""The user's own torch data set, with whatever transforms it has."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.images.arrays import complaint
from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.images.image_files import mode_channels, unshowable
from robust_tickets.data.images.images import Geometry, Images
from robust_tickets.data.images.user_contents import PROBED, contents, spaced
from robust_tickets.data.targets.targets import Targets
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream, stream_seed

IMAGE_KEYS = ("image", "img", "pixel_values")
LABEL_KEYS = ("label", "labels", "fine_label")


def split_item(item: Any, where: str) -> tuple[Any, int]:
    """Return the image and label of one item, a pair or a mapping (`image` or `img`, and `label`).

    Raises:
        UserError: the item is neither, or its label is not an integer.
    """
    if isinstance(item, Mapping):
        keys = [next((key for key in known if key in item), None) for known in (IMAGE_KEYS, LABEL_KEYS)]
        if None in keys:
            raise UserError(f"{where}: has the keys {', '.join(map(str, item))}; it needs image and label")
        item = [item[key] for key in keys]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise UserError(f"{where}: is a {type(item).__name__}, not a pair (image, label)")
    image, label = item
    if isinstance(label, Mapping) or (isinstance(label, list) and any(isinstance(one, Mapping) for one in label)):
        raise UserError(
            f"{where}: has a mapping as its label; objects in memory need a class number for each image, and boxes "
            "are read from folders in COCO's or Pascal VOC's layout"
        )
    if isinstance(label, Tensor | np.ndarray | np.generic):
        values = label.reshape(-1).tolist()
        label = values[0] if len(values) == 1 else values
    if not isinstance(label, int) or label < 0:
        raise UserError(f"{where}: has the label {label!r}; give a class number, 0 or more")
    return image, int(label)


def to_image(value: Any, where: str) -> Image.Image | Tensor:
    """Return a PIL image as it is, or a float tensor `(C, H, W)` in [0, 1] from a tensor or NumPy array.

    Tensors have channels first, NumPy arrays last, as everywhere in torchvision.

    Raises:
        UserError: it is not an image, or its values leave [0, 1].
    """
    if isinstance(value, Image.Image):
        if reason := unshowable(value):
            raise UserError(f"{where}: {reason}")
        return value
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        array = (value.float() if value.is_floating_point() else value).numpy()
    elif isinstance(value, np.ndarray):
        array = value.transpose(2, 0, 1) if value.ndim == 3 else value
    else:
        raise UserError(f"{where}: a {type(value).__name__} is not an image; give PIL, or a tensor (C, H, W)")
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[0] not in (1, 3) or not array.size:
        raise UserError(f"{where}: the image has shape {tuple(value.shape)}; give (C, H, W) with 1 or 3 channels")
    if reason := complaint(array):
        raise UserError(f"{where}: the image {reason}")
    image = torch.from_numpy(array.astype(np.float32))
    return image / 255 if array.dtype == np.uint8 else image


class UserImages(Images):
    """The images of a user's map-style data set of (image, label).

    Random transforms draw from torch's, NumPy's and Python's global generators, which are seeded for each
    sample: so batches resume exactly. Outside training each item's randomness is fixed, so that a random
    crop is always the same crop. (Generators of a transform's own are beyond reach.)

    Args:
        dataset: the user's data set; images are PIL, uint8 or float in [0, 1].
        labels: int64 `(N,)`, one for each item, as they were listed.
        name: what messages call the data set.
    """

    probed: ClassVar[bool] = True

    def __init__(self, dataset: Any, labels: Tensor, name: str) -> None:
        self.dataset, self.labels, self.name = dataset, labels, name

    def __len__(self) -> int:
        return len(self.labels)

    def original(self, index: int, *stream: str | int) -> Image.Image | Tensor:
        """Return the user's image, its random transforms drawn from `stream`, by default the item's own.

        Raises:
            UserError: the item is not an image in [0, 1], or its label is not the one it was listed with.
        """
        where = f"{self.name}, item {index}"
        with sample_stream(0, *(stream or ("item", index))):
            value, label = split_item(self.dataset[index], where)
        if label != int(self.labels[index]):
            raise UserError(f"{where}: has label {label} but was listed with {int(self.labels[index])}")
        return to_image(value, where)

    def geometries(self, indices: Tensor) -> list[tuple[str, Geometry]]:
        """Return some items and their geometry."""
        probed = [int(indices[number]) for number in spaced(len(indices), PROBED)]
        return [(f"{self.name}, item {index}", image_geometry(self.original(index))) for index in probed]

    def held(self, indices: Tensor, fit: ImageFit, keep: bool) -> None:
        """Return nothing: what random transforms make of an image is not kept."""

    def suited(self, indices: Tensor) -> Augmenting:
        """Return nothing that training should do beside the user's own transforms."""
        return NoAugmentation()

    def fingerprint(self, digest: Any, indices: Tensor, fit: ImageFit, targets: Targets) -> None:
        """Take in the chosen positions, their targets, and what the items hold (see `contents`)."""
        digest.update(f"{type(self.dataset).__name__}|{len(self.dataset)}".encode())
        digest.update(indices.numpy().tobytes())
        digest.update(targets.content(indices))
        digest.update(contents(self.dataset, indices, lambda number: self.original(int(indices[number]))).encode())


def image_geometry(image: Image.Image | Tensor) -> Geometry:
    """Return (height, width) and channels."""
    if isinstance(image, Tensor):
        return (image.shape[1], image.shape[2]), image.shape[0]
    return (image.height, image.width), mode_channels(image.mode)


@contextmanager
def sample_stream(seed: int, *path: str | int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python from one named stream, and restore them."""
    # NumPy's legacy global generator is meant: it is the one that transforms use.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with global_stream(seed, *path):
            random.seed(stream_seed(seed, *path))
            np.random.seed(stream_seed(seed, *path) % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
