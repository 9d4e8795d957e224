"""The image files of a folder with one subfolder per class, before any is opened."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from robust_tickets.data.image_files import SUFFIXES
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import files_below


@dataclass(frozen=True)
class Listing:
    """The files of one part.

    Attributes:
        root: the part's folder.
        files: paths below root, sorted by class and name.
        labels: int64 `(N,)`.
        classes: names of the classes in the order of labels; some may have no files here.
    """

    root: Path
    files: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]

    def path(self, index: int) -> Path:
        """Return the path of one file."""
        return self.root / self.files[index]

    def subset(self, indices: Tensor) -> "Listing":
        """Return the files at `indices`."""
        files = tuple(self.files[index] for index in indices.tolist())
        return Listing(self.root, files, self.labels[indices], self.classes)


def class_folders(root: Path) -> list[Path]:
    """Return the visible subfolders of `root`, sorted by name."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def list_folder(root: Path, classes: Sequence[str] | None = None) -> Listing:
    """Return the images below `root`, whose subfolders are the classes. Hidden files are ignored.

    Args:
        root: the folder.
        classes: the classes in the order of labels, where another part decides them: this one may then have fewer.
            None: all subfolders, by name.

    Raises:
        UserError: there is no class folder, or only one; a class is empty; a file is not an image; a class is none of
            `classes`; or several folders hold the same folders, so that they are parts and no classes.
    """
    folders = class_folders(root)
    if not folders:
        raise UserError(f"{root}: holds no class folders; put the images of each class into a subfolder of its own")
    if classes is None and len(folders) == 1:
        raise UserError(
            f"{root}: has one class only ({folders[0].name}); classification needs at least two"
            + (f", such as the folders in {folders[0]}: give that" if len(class_folders(folders[0])) > 1 else "")
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
    files = tuple(f"{name}/{path}" for name, paths in found.items() for path in paths)
    if not files:
        raise UserError(f"{root}: its class folders are empty; add images, or remove the folder")
    labels = torch.tensor([number[name] for name, paths in found.items() for _ in paths])
    return Listing(root, files, labels, names)


def image_paths(folder: Path) -> list[str]:
    """Return the visible files below a class folder, as paths in it with `/`, sorted.

    Raises:
        UserError: one is not an image by its name.
    """
    # Strings, because a folder of 100,000 files takes seconds as paths.
    start = len(str(folder)) + 1
    below = (path[start:].replace(os.sep, "/") for path in files_below(folder))
    found = [path for path in below if not any(part.startswith(".") for part in path.split("/"))]
    if strange := [path for path in found if os.path.splitext(path)[1].lower() not in SUFFIXES]:
        raise UserError(
            f"{folder / strange[0]}: is not an image by its name ({len(strange)} such in this class); "
            f"remove it, or save it as one of {' '.join(sorted(SUFFIXES))}"
        )
    return found


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
                f"{root}: {first}/ and {second}/ hold the same folders ({enumerated(shared)}), so they are parts of a "
                "data set and not its classes; name them train/, val/ and test/, or merge them"
            )
