"""From a name or a path to the parts that lie there."""

from pathlib import Path

from robust_tickets.data.array_files import idx_files, read_idx_files, read_npz
from robust_tickets.data.built_in import read_digits, read_glyphs
from robust_tickets.data.examples import Found
from robust_tickets.data.folder import read_image_folder
from robust_tickets.data.label_folder import is_label_folder, read_label_folder
from robust_tickets.data.names import nothing_at
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.torchvision_sets import read_torchvision
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path


def read_path(path: Path, *, trains: bool = True) -> Found:
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
    if files := idx_files(path):
        return read_idx_files(files, path.resolve().name)
    return read_label_folder(path) if is_label_folder(path) else read_image_folder(path, trains=trains)


def read(settings: DataSettings, *, trains: bool = True) -> Found:
    """Return the parts that the settings name; without `trains` there need be none to train on.

    Raises:
        UserError: there is nothing of that name.
    """
    if settings.name == "glyphs":
        return read_glyphs(settings.glyphs)
    if settings.name == "digits":
        return read_digits()
    if settings.name.startswith("torchvision/"):
        return read_torchvision(settings.name.removeprefix("torchvision/"), given_path(str(settings.root)))
    return read_path(given_path(settings.name), trains=trains)
