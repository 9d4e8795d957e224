"""From a name or a path to the parts that lie there."""

from collections.abc import Mapping
from pathlib import Path

from robust_tickets.data.augmentation import Affine
from robust_tickets.data.digits import CLASSES as DIGIT_CLASSES
from robust_tickets.data.digits import TEST_FRACTION, digits
from robust_tickets.data.fractions import TEST_SEED, choose
from robust_tickets.data.glyphs import CLASSES as GLYPH_CLASSES
from robust_tickets.data.glyphs import glyphs
from robust_tickets.data.idx import image_files, read_idx_files
from robust_tickets.data.listing import class_folders, list_folder
from robust_tickets.data.names import nothing_at
from robust_tickets.data.npz import read_npz
from robust_tickets.data.part_names import PartName, folder_parts
from robust_tickets.data.parts import Found, PixelsFound, Source
from robust_tickets.data.pixel_folder import is_pixel_folder, read_pixel_folder
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.torchvision_sets import read_torchvision
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path


def read_image_folder(root: Path, *, trains: bool = True) -> Found:
    """Return the images of a folder with one subfolder a class, in train/, val/ and test/ or not.

    A folder that happens to be called `train` is a class where others are too, and it holds no classes itself.

    Raises:
        UserError: train/ is missing, a part has classes that train/ lacks, or folders can be taken for neither parts
            nor classes.
    """
    folders = [folder.name for folder in class_folders(root)]
    keys, name = folder_parts(folders, str(root)), root.resolve().name
    others = [folder for folder in folders if folder not in keys.values()]
    if not keys or (others and is_class(root, keys)):
        listing = list_folder(root)
        return Found({"train": listing}, listing.classes, name)
    if others and len(keys) == 1:
        raise UserError(
            f"{root}: {only(keys)}/ holds classes, as a part does, but no other folder is called like a part "
            f"({enumerated([f'{folder}/' for folder in others])}); name the parts train/, val/ and test/, or give "
            f"{root / only(keys)}"
        )
    if "train" not in keys and trains:
        raise UserError(f"{root}: has {'/ and '.join(folders)}/ but no train/; add the training images as train/")
    parts: dict[PartName, Source] = {}
    if trains:
        parts["train"] = train = list_folder(root / keys["train"])
        classes = train.classes
    else:
        # What only evaluates has the classes of all parts, whichever of them a part lacks.
        classes = tuple(sorted({folder.name for key in keys.values() for folder in class_folders(root / key)}))
    for part, key in keys.items():
        if part not in parts:
            parts[part] = list_folder(root / key, classes)
    left_out = (f"{enumerated([f'{folder}/' for folder in others])} beside the parts: left out",) if others else ()
    return Found(parts, classes, name, notes=left_out)


def is_class(root: Path, keys: Mapping[PartName, str]) -> bool:
    """Return whether the folder that is called like a part is a class: it holds no two folders itself."""
    return len(keys) == 1 and len(class_folders(root / only(keys))) < 2


def only(keys: Mapping[PartName, str]) -> str:
    """Return the name of a single part's folder."""
    (name,) = keys.values()
    return name


def read_path(path: Path, *, trains: bool = True) -> Found | PixelsFound:
    """Return the parts found at a path: arrays, a folder a class, or images/ beside labels/.

    Raises:
        UserError: there is nothing that can be read as images with labels.
    """
    if path.is_file():
        if path.suffix == ".npz":
            return read_npz([path], path.stem)
        raise UserError(f"{path}: is a file but no .npz; give a folder with one subfolder a class, or an .npz file")
    if not path.is_dir():
        raise nothing_at(path)
    if archives := sorted(path.glob("[!.]*.npz")):
        return read_npz(archives, path.resolve().name)
    if files := image_files(path):
        return read_idx_files(files, path.resolve().name)
    return read_pixel_folder(path) if is_pixel_folder(path) else read_image_folder(path, trains=trains)


def read(settings: DataSettings, *, trains: bool = True) -> Found | PixelsFound:
    """Return the parts that the settings name; without `trains` there need be none to train on.

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
    return read_path(given_path(settings.name), trains=trains)
