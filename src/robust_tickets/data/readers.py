"""From a name or a path to the parts that lie there."""

from pathlib import Path

from robust_tickets.data.augmentation import Affine
from robust_tickets.data.digits import CLASSES as DIGIT_CLASSES
from robust_tickets.data.digits import TEST_FRACTION, digits
from robust_tickets.data.fractions import TEST_SEED, choose
from robust_tickets.data.glyphs import CLASSES as GLYPH_CLASSES
from robust_tickets.data.glyphs import glyphs
from robust_tickets.data.idx import image_files, read_idx_files
from robust_tickets.data.listing import class_folders, list_folder
from robust_tickets.data.npz import read_npz
from robust_tickets.data.parts import Found, PartName, PixelsFound, Source, part_keys
from robust_tickets.data.pixel_folder import is_pixel_folder, read_pixel_folder
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.torchvision_sets import read_torchvision
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path


def read_image_folder(root: Path) -> Found:
    """Return the images of a folder with one subfolder a class, in train/, val/ and test/ or not.

    A folder that happens to be called `train` is a class where others are too, and no val/ or test/ is there.

    Raises:
        UserError: parts differ in their classes, or train/ is missing.
    """
    folders = [folder.name for folder in class_folders(root)]
    keys = part_keys(folders, str(root))
    if not keys or (len(keys) < len(folders) and not (len(keys) > 1 and "train" in keys)):
        listing = list_folder(root)
        return Found({"train": listing}, listing.classes, root.resolve().name)
    if "train" not in keys:
        raise UserError(f"{root}: has {'/ and '.join(folders)}/ but no train/; add the training images as train/")
    parts: dict[PartName, Source] = {}
    train = list_folder(root / keys["train"])
    for part, key in keys.items():
        parts[part] = listing = list_folder(root / key)
        if listing.classes != train.classes:
            missing = ", ".join(sorted(set(train.classes) - set(listing.classes))) or "none"
            unknown = ", ".join(sorted(set(listing.classes) - set(train.classes))) or "none"
            raise UserError(
                f"{root / key}: its classes are not those of {keys['train']}/; missing: {missing}; unknown: {unknown}"
            )
    return Found(parts, train.classes, root.resolve().name)


def read_path(path: Path) -> Found | PixelsFound:
    """Return the parts found at a path: arrays, a folder a class, or images/ beside labels/.

    Raises:
        UserError: there is nothing that can be read as images with labels.
    """
    if path.is_file():
        if path.suffix == ".npz":
            return read_npz([path], path.stem)
        raise UserError(f"{path}: is a file but no .npz; give a folder with one subfolder a class, or an .npz file")
    if not path.is_dir():
        raise UserError(f"{path}: no such folder or file; built in are glyphs and digits, and torchvision/NAME")
    if archives := sorted(path.glob("[!.]*.npz")):
        return read_npz(archives, path.resolve().name)
    if files := image_files(path):
        return read_idx_files(files, path.resolve().name)
    return read_pixel_folder(path) if is_pixel_folder(path) else read_image_folder(path)


def read(settings: DataSettings) -> Found | PixelsFound:
    """Return the parts that the settings name.

    Raises:
        UserError: there is nothing of that name.
    """
    if settings.name == "glyphs":
        train, test = glyphs(settings.glyphs, "train"), glyphs(settings.glyphs, "test")
        return Found({"train": train, "test": test}, GLYPH_CLASSES, "glyphs", Affine())
    if settings.name == "digits":
        arrays = digits()
        train, test = choose(arrays.labels, DIGIT_CLASSES, hold_out=TEST_FRACTION, seed=TEST_SEED, stream="test")
        return Found({"train": arrays.subset(train), "test": arrays.subset(test)}, DIGIT_CLASSES, "digits", Affine())
    if settings.name.startswith("torchvision/"):
        return read_torchvision(settings.name.removeprefix("torchvision/"), given_path(str(settings.root)))
    return read_path(given_path(settings.name))
