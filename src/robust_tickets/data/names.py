"""Names of data, judged before torch is loaded."""

import difflib

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path

BUILT_IN = ("glyphs", "digits")
TORCHVISION = "torchvision/"

VOC = "VOCSegmentation"
WITH_TRAIN_FLAG = ("MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "USPS")
WITHOUT_PARTS = ("Caltech101", "Caltech256", "EuroSAT", "SEMEION", "SUN397")
TRAIN_TEST = {"train": "train", "test": "test"}
TRAIN_VAL_TEST = {"train": "train", "validation": "val", "test": "test"}
WITH_SPLITS = {
    "SVHN": TRAIN_TEST,
    "STL10": TRAIN_TEST,
    "GTSRB": TRAIN_TEST,
    "Food101": TRAIN_TEST,
    "StanfordCars": TRAIN_TEST,
    "DTD": TRAIN_VAL_TEST,
    "Flowers102": TRAIN_VAL_TEST,
    "FGVCAircraft": TRAIN_VAL_TEST,
    "PCAM": TRAIN_VAL_TEST,
    "RenderedSST2": TRAIN_VAL_TEST,
    "Country211": {"train": "train", "validation": "valid", "test": "test"},
    "OxfordIIITPet": {"train": "trainval", "test": "test"},
    "Imagenette": {"train": "train", "test": "val"},
    "ImageNet": {"train": "train", "test": "val"},
}
KNOWN = sorted({*WITH_TRAIN_FLAG, *WITHOUT_PARTS, *WITH_SPLITS, VOC})
"""The sets understood; the values above are torchvision's own words for the parts."""


def require_data(name: str) -> None:
    """Refuse a name that no data can have: neither a path that is there, nor built in, nor a set of torchvision.

    Raises:
        UserError: says what there is, or the nearest name.
    """
    if name in BUILT_IN or given_path(name).exists():
        return
    prefix, slash, rest = name.partition("/")
    if name.startswith(TORCHVISION):
        require_torchvision(rest)
    elif slash and rest in KNOWN and difflib.get_close_matches(f"{prefix}/", [TORCHVISION]):
        raise UserError(f"{name}: no such folder or file; did you mean {TORCHVISION}{rest}?")
    else:
        raise nothing_at(name)


def require_torchvision(name: str) -> None:
    """Refuse a name that is none of torchvision's sets with one label an image or a pixel.

    Raises:
        UserError: gives the nearest name.
    """
    if name not in KNOWN:
        lower = {known.lower(): known for known in KNOWN}
        near = difflib.get_close_matches(name.lower(), lower, n=1)
        hint = f"did you mean torchvision/{lower[near[0]]}?" if near else f"known are {', '.join(KNOWN)}"
        raise UserError(f"torchvision/{name}: no such set for classification or segmentation; {hint}")


def nothing_at(place: object) -> UserError:
    """Return the complaint about a place where no data are."""
    near = difflib.get_close_matches(str(place), BUILT_IN, n=1)
    hint = f"did you mean {near[0]}?" if near else "built in are glyphs and digits, and torchvision/NAME"
    return UserError(f"{place}: no such folder or file; {hint}")
