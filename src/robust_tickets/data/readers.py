"""From a name or a path to the parts that lie there."""

from functools import lru_cache
from pathlib import Path

from robust_tickets.data.array_files import idx_files, read_idx_files, read_npz
from robust_tickets.data.built_in import read_digits, read_glyphs
from robust_tickets.data.examples import Found
from robust_tickets.data.folder import read_image_folder
from robust_tickets.data.label_folder import is_label_folder, read_label_folder
from robust_tickets.data.names import BUILT_IN, TORCHVISION, VOC, nothing_at
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.torchvision_sets import read_torchvision, voc_place
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path, state


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


ASKED = {"name", "root", "glyphs"}
"""The settings that decide what is read."""


def read(settings: DataSettings, *, trains: bool = True) -> Found:
    """Return the parts that the settings name; without `trains` there need be none to train on.

    They are read once, until files change: whoever asks again shares them, and what is decoded of them.

    Raises:
        UserError: there is nothing of that name.
    """
    place = lies_at(settings)
    # Names may be paths from here.
    here, changes = str(Path.cwd()), "" if place is None else state(place)
    return read_once(settings.model_dump_json(include=ASKED), trains, here, changes)


def lies_at(settings: DataSettings) -> Path | None:
    """Return where the data lie; None of those that nobody changes."""
    if settings.name in BUILT_IN:
        return None
    if settings.name.startswith(TORCHVISION):
        return voc_place(given_path(str(settings.root))) if settings.name == f"{TORCHVISION}{VOC}" else None
    return given_path(settings.name)


@lru_cache(maxsize=4)
def read_once(asked: str, trains: bool, here: str, changes: str) -> Found:
    """Return what settings name, as JSON of those in `ASKED`; `here` and `changes` are what it depends on besides."""
    settings = DataSettings.model_validate_json(asked)
    if settings.name == "glyphs":
        return read_glyphs(settings.glyphs)
    if settings.name == "digits":
        return read_digits()
    if settings.name.startswith(TORCHVISION):
        return read_torchvision(settings.name.removeprefix(TORCHVISION), given_path(str(settings.root)))
    return read_path(given_path(settings.name), trains=trains)
