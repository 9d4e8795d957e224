"""torchvision's classification sets, and VOC segmentation, by name."""

import inspect
import shutil
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import FlipCrop, RandomResizedCrop
from robust_tickets.data.names import VOC, WITH_SPLITS, WITH_TRAIN_FLAG, WITHOUT_PARTS, require_torchvision
from robust_tickets.data.npz import int64_labels, uint8_images
from robust_tickets.data.part_names import PartName
from robust_tickets.data.parts import Found, PixelsFound, Source
from robust_tickets.data.user_sets import class_labels, user_images
from robust_tickets.data.voc import read_voc
from robust_tickets.foundation.errors import UserError

MIRRORED = {"CIFAR10", "CIFAR100", "STL10", "FashionMNIST"}
"""Sets held in memory whose images mean the same in a mirror; digits, letters and signs do not."""


def part_arguments(name: str) -> dict[PartName, dict[str, Any]]:
    """Return what tells each part of a set from the others."""
    if name in WITH_TRAIN_FLAG:
        return {"train": {"train": True}, "test": {"train": False}}
    if name in WITHOUT_PARTS:
        return {"train": {}}
    return {part: {"split": word} for part, word in WITH_SPLITS[name].items()}  # pyright: ignore[reportReturnType]


def read_torchvision(name: str, root: Path) -> Found | PixelsFound:
    """Return the parts of `torchvision/NAME`, downloaded to `root` where they are not there.

    Raises:
        UserError: the name is unknown, or the files are neither there nor can be fetched.
    """
    require_torchvision(name)
    if name == VOC:
        return read_voc(root)
    factory = getattr(torchvision.datasets, name)
    fetch = {"download": True} if "download" in inspect.signature(factory).parameters else {}
    parts: dict[PartName, Source] = {}
    classes: tuple[str, ...] = ()
    for part, arguments in part_arguments(name).items():
        was_there = root.exists()
        try:
            dataset = factory(root, **arguments, **fetch)
        except (RuntimeError, OSError) as error:
            if not was_there:
                shutil.rmtree(root, ignore_errors=True)
            raise UserError(
                f"torchvision/{name}: is not in {root} and could not be fetched ({error}); put its files "
                "there or set `root`"
            ) from error
        parts[part] = source = as_source(dataset, f"torchvision/{name}")
        classes = classes or class_labels(dataset, source.labels)
    in_memory = isinstance(parts["train"], ImageArrays)
    augmentation = FlipCrop(flip=name in MIRRORED) if in_memory else RandomResizedCrop()
    return Found(parts, classes, f"torchvision/{name}", augmentation)


def as_source(dataset: Any, name: str) -> Source:
    """Return a set's arrays where it holds them, else the set itself."""
    values = getattr(dataset, "data", None)
    if values is None:
        return user_images(dataset, name)
    values = values.numpy() if isinstance(values, Tensor) else values
    stored = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    labels = int64_labels(torch.as_tensor(stored).numpy(), len(values), name)
    return ImageArrays(uint8_images(values, name), labels)
