"""torchvision's classification sets, and VOC segmentation, by name."""

import inspect
import shutil
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor

from robust_tickets.data.augmentation import FlipCrop, RandomResizedCrop
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.label_folder import with_labels
from robust_tickets.data.forms.user_sets import class_labels, user_examples
from robust_tickets.data.images.arrays import int64_labels, labelled, uint8_images
from robust_tickets.data.images.images import images_of
from robust_tickets.data.names import VOC, WITH_SPLITS, WITH_TRAIN_FLAG, WITHOUT_PARTS, PartName, require_torchvision
from robust_tickets.foundation.errors import UserError

VOC_YEAR = "2012"
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""In the order of label values; 255, the borders of objects, is void."""
VOC_PARTS: dict[PartName, str] = {"train": "train", "validation": "val"}
"""The names of the parts whose labels are public."""

MIRRORED = {"CIFAR10", "CIFAR100", "STL10", "FashionMNIST"}
"""Sets held in memory whose images mean the same in a mirror; digits, letters and signs do not."""


def part_arguments(name: str) -> dict[PartName, dict[str, Any]]:
    """Return what distinguishes each part of a set from the others."""
    if name in WITH_TRAIN_FLAG:
        return {"train": {"train": True}, "test": {"train": False}}
    if name in WITHOUT_PARTS:
        return {"train": {}}
    return {part: {"split": word} for part, word in WITH_SPLITS[name].items()}  # pyright: ignore[reportReturnType]


def read_torchvision(name: str, root: Path) -> Found:
    """Return the parts of `torchvision/NAME`, downloaded to `root` where they are not there.

    Raises:
        UserError: the name is unknown, or the files are neither there nor can be fetched.
    """
    require_torchvision(name)
    if name == VOC:
        return read_voc(root)
    factory = getattr(torchvision.datasets, name)
    fetch = {"download": True} if "download" in inspect.signature(factory).parameters else {}
    parts: dict[PartName, Listing] = {}
    classes: tuple[str, ...] = ()
    for part, arguments in part_arguments(name).items():
        was_there = root.exists()
        try:
            dataset = factory(root, **arguments, **fetch)
        except (RuntimeError, OSError) as error:
            if not was_there:
                shutil.rmtree(root, ignore_errors=True)
            raise UserError(
                f"torchvision/{name}: is not in {root} and could not be downloaded ({error}); put its files "
                "there or set `root`"
            ) from error
        parts[part] = found = as_examples(dataset, f"torchvision/{name}")
        classes = classes or class_labels(dataset, found.labels)
    photographs = images_of(parts["train"].inputs).have_originals
    augmentation = RandomResizedCrop() if photographs else FlipCrop(flip=name in MIRRORED)
    return Found(parts, classes, f"torchvision/{name}", augmentation)


def as_examples(dataset: Any, name: str) -> Listing:
    """Return a set's arrays where it holds them, else its items."""
    values = getattr(dataset, "data", None)
    if values is None:
        return user_examples(dataset, name)
    values = values.numpy() if isinstance(values, Tensor) else values
    stored = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    labels = int64_labels(torch.as_tensor(stored).numpy(), len(values), name)
    return labelled(uint8_images(values, name), labels)


def voc_place(root: Path) -> Path:
    """Return the folder of VOC's files below `root`."""
    return root / "VOCdevkit" / f"VOC{VOC_YEAR}"


def read_voc(root: Path) -> Found:
    """Return VOC 2012's train and val parts below `root/VOCdevkit`, downloaded where they are not there.

    Raises:
        UserError: the files are neither there nor can be fetched, or an image has no label image.
    """
    place = voc_place(root)
    fetch = not (place / "ImageSets" / "Segmentation").is_dir()
    parts: dict[PartName, Listing] = {}
    for part, word in VOC_PARTS.items():
        try:
            dataset: Any = torchvision.datasets.VOCSegmentation(root, year=VOC_YEAR, image_set=word, download=fetch)
        except (RuntimeError, OSError) as error:
            raise UserError(
                f"torchvision/{VOC}: is not complete in {root} and could not be downloaded ({error}); put "
                f"VOCdevkit/VOC{VOC_YEAR} there or set `root`"
            ) from error
        pairs = [
            tuple(Path(path).relative_to(place).as_posix() for path in pair)
            for pair in zip(dataset.images, dataset.masks, strict=True)
        ]
        for image, label in pairs:
            if missing := [name for name in (image, label) if not (place / name).is_file()]:
                raise UserError(f"{place / missing[0]}: is missing, but {word}.txt names it; download the set again")
        parts[part] = with_labels(place, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return Found(parts, VOC_CLASSES, f"torchvision/{VOC}")
