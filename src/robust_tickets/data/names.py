"""What names mean, of data and of their parts; judged before torch is loaded."""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Literal

from robust_tickets.data.forms.patterns import is_pattern, matching
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.extras import require_extra
from robust_tickets.foundation.files import given_path

BUILT_IN = ("glyphs", "digits", "glyph-scenes", "tales", "tale-topics", "tale-moods", "china", "flower")
TORCHVISION = "torchvision/"
HUB = "hf/"

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
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[^/:]+)?")
KNOWN = sorted({*WITH_TRAIN_FLAG, *WITHOUT_PARTS, *WITH_SPLITS, VOC})
"""The sets understood; the values above are torchvision's own words for the parts."""


def require_data(name: str) -> None:
    """Refuse a name that no data can have: neither a path that is there, nor built in, nor of torchvision or the Hub.

    Raises:
        UserError: says what there is, or the nearest name; or what has to be installed to read it.
    """
    first, slash, rest = name.partition("/")
    path = given_path(name)
    if (require := PREFIXES.get(first + slash)) is not None:
        require(rest)
    elif is_pattern(path):
        matching(path)
    elif slash and rest in KNOWN and difflib.get_close_matches(f"{first}/", [TORCHVISION]) and not path.exists():
        raise UserError(f"{name}: no such folder or file; did you mean {TORCHVISION}{rest}?")
    elif name not in BUILT_IN and not path.exists():
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


def require_hub(name: str) -> None:
    """Refuse what names no data set on the Hub, `OWNER/NAME` or `OWNER/NAME:CONFIGURATION`.

    Raises:
        UserError: says how to write one, or what has to be installed.
    """
    if HUB_NAME.fullmatch(name) is None:
        raise UserError(
            f"{HUB}{name}: names no data set on the Hub; write hf/OWNER/NAME or hf/OWNER/NAME:CONFIGURATION"
        )
    require_datasets(f"{HUB}{name}")


def require_datasets(name: str) -> None:
    """Refuse data for which Hugging Face's library is missing.

    Raises:
        UserError: says how to install it.
    """
    require_extra("datasets", "datasets", f"{name}:")


PREFIXES: dict[str, Callable[[str], None]] = {TORCHVISION: require_torchvision, HUB: require_hub}
"""What names of several sets begin with, and what judges the rest of such a name."""


def nothing_at(place: object) -> UserError:
    """Return the complaint about a place where no data are."""
    near = difflib.get_close_matches(str(place), BUILT_IN, n=1, cutoff=0.7)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"{', '.join(BUILT_IN)} are built in; torchvision/NAME and hf/OWNER/NAME are downloaded"
    )
    return UserError(f"{place}: no such folder or file; {hint}")


PartName = Literal["train", "validation", "test"]

# The words are those of Hugging Face's `datasets`, and MNIST's t10k.
WORDS: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "t10k": "test",
}
"""The names of folders, files and keys that are understood as parts, without regard to case."""

PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def part_of(name: str) -> PartName | None:
    """Return the part whose name this is, as in `train`, `Val` or `TEST`."""
    return WORDS.get(name.strip().lower())


def part_in(text: str) -> PartName | None:
    """Return the part that a longer name speaks of, as in `cifar10_train_1`, `x_test`, `TrainSet` or `val2017`.

    `trainset` and `testdata` are two words without a mark between them.
    """
    if (whole := part_of(text)) is not None:
        return whole
    for chunk in re.split(r"[^A-Za-z0-9]+", text):
        pieces = [piece.lower() for piece in PIECES.findall(chunk)]
        for word in (chunk.lower(), *pieces):
            part = WORDS.get(word) or WORDS.get(re.sub(r"(set|data)$", "", word))
            if part is not None:
                return part
    return None


def part_keys(names: Iterable[str], where: str) -> dict[PartName, str]:
    """Return which of `names` stands for which part; other names are left alone.

    Raises:
        UserError: two names stand for one part.
    """
    return distinct(((name, part_of(name)) for name in names), where)


def folder_parts(names: Iterable[str], where: str) -> dict[PartName, str]:
    """Return which of the folders called `names` stands for which part; other folders are left alone.

    Where every folder speaks of a part and together they speak of several, longer names count too
    (`training_set` beside `test_set`): nobody calls all of the classes so.

    Raises:
        UserError: two folders stand for one part.
    """
    names = list(names)
    spoken: list[tuple[str, PartName | None]] = [(name, part_in(name)) for name in names]
    parts = {part for _, part in spoken}
    return distinct(spoken, where) if None not in parts and len(parts) > 1 else part_keys(names, where)


def distinct(named: Iterable[tuple[str, PartName | None]], where: str) -> dict[PartName, str]:
    """Return the name of each part.

    Raises:
        UserError: two names stand for one part.
    """
    keys: dict[PartName, str] = {}
    for name, part in named:
        if part in keys:
            raise UserError(f"{where}: {keys[part]} and {name} both name the {part} part; keep one")
        if part is not None:
            keys[part] = name
    return keys


def require_once(values: Iterable[Any], where: str) -> None:
    """Refuse a value that comes twice.

    Raises:
        UserError: says which.
    """
    if double := [value for value, count in Counter(values).items() if count > 1]:
        raise UserError(f"{where} {double[0]} comes twice; each needs its own")
