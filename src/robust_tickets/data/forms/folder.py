"""A folder with one subfolder per class, in train/, val/ and test/ or not, or of images alone; no file is opened."""

import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.images.encoded import FolderFiles
from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import PartName, folder_parts, part_of
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.targets.unlabelled import Unlabelled
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import files_below


def read_image_folder(root: Path, *, trains: bool = True) -> Found:
    """Return the images of a folder with one subfolder per class, in train/, val/ and test/ or not.

    A folder that happens to be called `train` is a class if others are classes too and it contains no classes itself.
    Images that lie in no subfolder have no labels.

    Raises:
        UserError: train/ is missing, a part has classes that train/ lacks, or folders that can be neither parts
            nor classes.
    """
    if (found := without_labels(root)) is not None:
        return found
    folders = [folder.name for folder in class_folders(root)]
    keys, name = folder_parts(folders, str(root)), root.resolve().name
    others = [folder for folder in folders if folder not in keys.values()]
    if not keys or (others and is_class(root, keys)):
        listing, classes = list_folder(root)
        return Found({"train": listing}, classes, name, notes=notes_on_loose([root]))
    if others and len(keys) == 1:
        raise UserError(
            f"{root}: {only(keys)}/ contains classes, like a part, but no other folder is named like a part "
            f"({enumerated([f'{folder}/' for folder in others])}); name the parts train/, val/ and test/, or give "
            f"{root / only(keys)}"
        )
    if "train" not in keys and trains:
        raise UserError(f"{root}: has {'/ and '.join(folders)}/ but no train/; add the training images as train/")
    parts: dict[PartName, Listing] = {}
    if trains:
        parts["train"], classes = list_folder(root / keys["train"])
    else:
        # What only evaluates has the classes of all parts, whichever of them a part lacks.
        classes = tuple(sorted({folder.name for key in keys.values() for folder in class_folders(root / key)}))
    for part, key in keys.items():
        if part not in parts:
            parts[part] = list_folder(root / key, classes)[0]
    left_out = (f"{enumerated([f'{folder}/' for folder in others])} next to the parts: left out",) if others else ()
    loose = notes_on_loose([root, *(root / key for key in keys.values())])
    return Found(parts, classes, name, notes=(*left_out, *loose))


def without_labels(root: Path) -> Found | None:
    """Return the images of a folder that has no classes: none in it, nor in its parts; None if there are classes.

    Only the training part is of use, since nothing can be judged by images alone.
    """
    folders = class_folders(root)
    name, notes = root.resolve().name, ()
    if not folders:
        files = loose_images(root)
        return Found({"train": unlabelled(root, files)}, (), name) if files else None
    parts = {part_of(folder.name): folder for folder in folders}
    if None in parts or "train" not in parts or any(class_folders(folder) for folder in folders):
        return None
    train, files = parts["train"], loose_images(parts["train"])
    if others := [f"{folder.name}/" for folder in folders if folder != train]:
        notes = (f"{enumerated(others)} left out: images without labels can only be learned from",)
    return Found({"train": unlabelled(train, files)}, (), name, notes=notes) if files else None


def unlabelled(folder: Path, files: Sequence[str]) -> Listing:
    """Return the files of a folder as images without labels."""
    return Listing.whole(StoredImages(FolderFiles(folder, files)), Unlabelled(len(files)))


def loose_images(folder: Path) -> list[str]:
    """Return the names of the images that lie in a folder itself, sorted; files of other kinds are somebody's notes."""
    return sorted(entry.name for entry in os.scandir(folder) if is_visible_image(entry))


def notes_on_loose(folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the sentence that images beside class folders have no class, where some lie there."""
    found = [folder / name for folder in folders for name in loose_images(folder)]
    if not found:
        return ()
    return (
        f"{len(found):,} images beside the folders of classes have no class and are left out, the first {found[0]}",
    )


def is_visible_image(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a file, not hidden, and named like an image."""
    return not entry.name.startswith(".") and is_image(entry.name) and entry.is_file()


def is_class(root: Path, keys: Mapping[PartName, str]) -> bool:
    """Return whether the folder that is named like a part is a class: it does not contain two folders itself."""
    return len(keys) == 1 and len(class_folders(root / only(keys))) < 2


def only(keys: Mapping[PartName, str]) -> str:
    """Return the name of a single part's folder."""
    (name,) = keys.values()
    return name


def class_folders(root: Path) -> list[Path]:
    """Return the visible subfolders of `root`, sorted by name."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def list_folder(root: Path, classes: Sequence[str] | None = None) -> tuple[Listing, tuple[str, ...]]:
    """Return the images below `root`, whose subfolders are the classes, and these. Hidden files are ignored.

    Args:
        root: the folder.
        classes: the classes in the order of labels, if another part decides them: this one may then have fewer.
            None: all subfolders, by name.

    Raises:
        UserError: there is no class folder, or only one; a class is empty; a file is not an image; a class is not
            in `classes`; or several folders contain the same folders, so that they are parts and not classes.
    """
    folders = class_folders(root)
    if not folders:
        raise UserError(f"{root}: contains no class folders; put the images of each class into its own subfolder")
    if classes is None and len(folders) == 1:
        raise UserError(
            f"{root}: has only one class ({folders[0].name}); classification needs at least two, "
            + (
                f"such as the folders in {folders[0]}: give that one"
                if len(class_folders(folders[0])) > 1
                else f"and learning without labels {folders[0]}"
            )
        )
    names = tuple(folder.name for folder in folders) if classes is None else tuple(classes)
    number = {name: label for label, name in enumerate(names)}
    if strange := [folder.name for folder in folders if folder.name not in number]:
        missing = [name for name in names if not (root / name).is_dir()]
        raise UserError(
            f"{root}: has classes that training lacks: {enumerated(strange)}"
            f"{f' (and none called {enumerated(missing)})' if missing else ''}; rename or remove them"
        )
    found = {folder.name: image_paths(folder) for folder in folders}
    require_classes(root, found)
    if classes is None and (empty := [name for name, paths in found.items() if not paths]):
        raise UserError(f"{root / empty[0]}: the class folder is empty; add images or remove the folder")
    files = [f"{name}/{path}" for name, paths in found.items() for path in paths]
    if not files:
        raise UserError(f"{root}: its class folders are empty; add images, or remove the folder")
    labels = torch.tensor([number[name] for name, paths in found.items() for _ in paths])
    return Listing.whole(StoredImages(FolderFiles(root, files)), ClassNumbers(labels)), names


def image_paths(folder: Path) -> list[str]:
    """Return the visible files below a class folder, as paths in it with `/`, sorted.

    Raises:
        UserError: one is not named like an image.
    """
    found = visible_files(folder)
    if strange := [path for path in found if not is_image(path)]:
        raise UserError(
            f"{folder / strange[0]}: is not named like an image ({len(strange)} such in this class); remove "
            f"it, or save it as one of {' '.join(sorted(SUFFIXES))}"
        )
    return found


def visible_files(folder: Path) -> list[str]:
    """Return the visible files below a folder, as paths in it with `/`, sorted."""
    # Strings, because a folder of 100,000 files takes seconds as paths.
    start = len(str(folder)) + 1
    below = (path[start:].replace(os.sep, "/") for path in files_below(folder))
    return [path for path in below if not any(part.startswith(".") for part in path.split("/"))]


def is_image(path: str) -> bool:
    """Return whether a file is named like an image."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def images_below(folder: Path) -> set[str]:
    """Return the visible image files below a folder, as paths in it with `/`."""
    return set(filter(is_image, visible_files(folder)))


def require_classes(root: Path, found: Mapping[str, Sequence[str]]) -> None:
    """Refuse folders that are folds, sites or parts of a data set: two hold the same folders, which are the classes.

    One folder that all have in common (`images/`, as in Tiny ImageNet) is none, because a set has two classes or more.

    Raises:
        UserError: there are such folders.
    """
    inside = {name: {path.split("/")[0] for path in paths if "/" in path} for name, paths in found.items()}
    for first, second in combinations([name for name, inner in inside.items() if len(inner) > 1], 2):
        if len(shared := sorted(inside[first] & inside[second])) > 1:
            raise UserError(
                f"{root}: {first}/ and {second}/ contain the same folders ({enumerated(shared)}), so they are parts of "
                "a data set, not its classes; name them train/, val/ and test/, or merge them"
            )


IMAGE_FOLDER = DataForm(
    "a folder with one subfolder per class",
    Path.is_dir,
    lambda place: read_image_folder(place.path, trains=place.trains),
)
