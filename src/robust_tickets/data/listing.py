"""The image files of a folder with one subfolder per class, before any is opened."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from robust_tickets.data.image_files import SUFFIXES
from robust_tickets.foundation.errors import UserError


@dataclass(frozen=True)
class Listing:
    """The files of one part.

    Attributes:
        root: the part's folder.
        files: paths below root, sorted by class and name.
        labels: int64 `(N,)`.
        classes: names of the class folders, sorted.
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


def list_folder(root: Path) -> Listing:
    """Return the images below `root`, whose subfolders are the classes. Hidden files are ignored.

    Raises:
        UserError: there is no class folder or only one, a class is empty, or a file is not an image.
    """
    folders = class_folders(root)
    if not folders:
        raise UserError(f"{root}: holds no class folders; put the images of each class into a subfolder of its own")
    files, labels = [], []
    for label, folder in enumerate(folders):
        below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        found = sorted(path for path in below if not any(part.startswith(".") for part in path.parts))
        if strange := [path for path in found if path.suffix.lower() not in SUFFIXES]:
            raise UserError(
                f"{folder / strange[0]}: is not an image by its name ({len(strange)} such in this class); "
                f"remove it, or save it as one of {' '.join(sorted(SUFFIXES))}"
            )
        if not found:
            raise UserError(f"{folder}: the class folder is empty; add images or remove the folder")
        files += [(Path(folder.name) / path).as_posix() for path in found]
        labels += [label] * len(found)
    if len(folders) == 1:
        raise UserError(f"{root}: has one class only ({folders[0].name}); classification needs at least two")
    return Listing(root, tuple(files), torch.tensor(labels), tuple(folder.name for folder in folders))
