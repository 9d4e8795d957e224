"""A folder of images/ and labels/, with or without parts."""

from collections.abc import Sequence
from pathlib import Path

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.folder import class_folders
from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.images.encoded import FolderFiles
from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import PartName, folder_parts
from robust_tickets.data.targets.label_images import LabelImages
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_lines

IMAGES, LABELS, CLASSES = "images", "labels", "classes.txt"


def holds_pairs(folder: Path) -> bool:
    """Return whether a folder has `images/` and `labels/` in it."""
    return (folder / IMAGES).is_dir() and (folder / LABELS).is_dir()


def is_label_folder(root: Path) -> bool:
    """Return whether a folder, or one of its parts, holds images with label images."""
    return root.is_dir() and (holds_pairs(root) or any(holds_pairs(root / name) for name in keys_below(root).values()))


def keys_below(root: Path) -> dict[PartName, str]:
    """Return the names of the folders in `root` that stand for parts."""
    return folder_parts([folder.name for folder in class_folders(root)], str(root))


def read_label_folder(root: Path) -> Found:
    """Return the pairs of `images/` and `labels/`, in train/, val/ and test/, with these in both of them, or without.

    `classes.txt` in `root` may name the classes, one a line: the first is what the label value 0 means.

    Raises:
        UserError: train/ is missing, a part has no pairs, or `classes.txt` does not name classes.
    """
    name, classes = root.resolve().name, read_classes(root / CLASSES)
    if holds_pairs(root):
        return Found(parts_within(root), classes, name)
    keys = keys_below(root)
    if "train" not in keys:
        raise UserError(f"{root}: has {'/ and '.join(keys.values())}/ but no train/; add the training images as train/")
    parts: dict[PartName, Listing] = {}
    for part, key in keys.items():
        if not holds_pairs(root / key):
            raise UserError(f"{root / key}: lacks the {IMAGES}/ and {LABELS}/ that other parts have; add them")
        parts[part] = with_labels(root / key, *list_pairs(root / key))
    return Found(parts, classes, name)


def parts_within(root: Path) -> dict[PartName, Listing]:
    """Return the parts of `images/train/`, `images/val/` and so on; all of the images as `train` if there are none.

    Raises:
        UserError: some folders in images/ are parts and others are not, or there is no train/.
    """
    place, (images, labels) = root / IMAGES, list_pairs(root)
    listing = with_labels(root, images, labels)
    inner = [Path(file).parts[1:] for file in images]
    folders = [parts[0] if len(parts) > 1 else "" for parts in inner]
    keys = folder_parts(sorted(set(folders)), f"{place}")
    if not keys:
        return {"train": listing}
    if others := sorted(set(folders) - set(keys.values())):
        raise UserError(
            f"{place}: contains {enumerated([f'{key}/' for key in keys.values()])}, which are parts, and "
            f"{enumerated([f'{other}/' if other else 'images' for other in others])}, which are not; move these"
        )
    if "train" not in keys:
        raise UserError(
            f"{place}: has {'/ and '.join(keys.values())}/ but no train/; add the training images as train/"
        )
    return {
        part: listing.subset(torch.tensor([folder == key for folder in folders]).nonzero().flatten())
        for part, key in keys.items()
    }


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the lines of `classes.txt`, or () if there is no such file.

    Raises:
        UserError: fewer than two names, more than 255, or one twice.
    """
    if not path.exists():
        return ()
    lines = read_lines(path)
    names = tuple(line for line in lines if line)
    if not 2 <= len(names) <= 255:
        raise UserError(f"{path}: names {len(names)} classes; name 2 to 255, one per line, the first for label value 0")
    if double := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{path}: names {double[0]!r} twice; name each class once")
    return names


def list_pairs(root: Path) -> tuple[list[str], list[str]]:
    """Return the images below `root/images` and their label images, which have the same name and end in .png.

    Raises:
        UserError: an image without a label image or the other way round, a file of another kind, no files.
    """
    images, labels = found_below(root, IMAGES, SUFFIXES), found_below(root, LABELS, {".png"})
    for mine, others, where in ((images, labels, LABELS), (labels, images, IMAGES)):
        if alone := sorted(stem for stem in mine if stem not in others):
            missing = "label image" if where == LABELS else "image"
            raise UserError(
                f"{root / mine[alone[0]]}: has no {missing} of the same name in {where}/ ({len(alone)} such); "
                "add it, or remove this one"
            )
    if not images:
        raise UserError(f"{root / IMAGES}: contains no images; add some, with a label image for each in {LABELS}/")
    stems = sorted(images)
    return [images[stem] for stem in stems], [labels[stem] for stem in stems]


def with_labels(root: Path, images: Sequence[str], labels: Sequence[str]) -> Listing:
    """Return images and their label images, as paths below `root`."""
    return Listing.whole(StoredImages(FolderFiles(root, images)), LabelImages.of(FolderFiles(root, labels)))


def found_below(root: Path, folder: str, suffixes: set[str]) -> dict[str, str]:
    """Return the visible files below `root/folder`, by their path in it without the ending."""
    found: dict[str, str] = {}
    for path in sorted((root / folder).rglob("*")):
        inner = path.relative_to(root / folder)
        if not path.is_file() or any(part.startswith(".") for part in inner.parts):
            continue
        if path.suffix.lower() not in suffixes:
            why = "label images must be PNG, which is lossless" if folder == LABELS else "it is not named like an image"
            raise UserError(f"{path}: cannot be used: {why}; remove it, or save it as {' '.join(sorted(suffixes))}")
        stem = inner.with_suffix("").as_posix()
        if stem in found:
            raise UserError(f"{path}: {Path(found[stem]).name} has the same name; keep one")
        found[stem] = (Path(folder) / inner).as_posix()
    return found


LABEL_FOLDER = DataForm("a folder of images/ and labels/", is_label_folder, lambda place: read_label_folder(place.path))
