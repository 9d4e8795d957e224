"""The rule against overwriting: nothing is written over what this product did not write.

What is there is recognised by its content, never by its name alone: a folder by a record of ours in it, a file by
what our files say of themselves. Nothing heavy is imported, so that a command refuses a place before it loads torch.
"""

import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import TEMPORARY, given_path

GENERATOR = "robust-tickets"
STAMP = {"generator": GENERATOR}
"""Metadata of the safetensors files that are written for users, by which they are known again."""

RECORDS = {
    "settings.json": {"verb"},
    "ticket.json": {"format", "digest", "prunable"},
    "transfer.json": {"source", "dense", "settings"},
    "source.json": {"digest", "head", "preprocessing"},
    "origin.json": {"classes", "run"},
    "summary.json": {"version", "title", "rows"},
}
"""Files that make a folder ours, and the keys that ours have."""

MASKS = "masks.safetensors"
"""Of a ticket; the first file of it that is written, so that one that was interrupted is known, too."""

RUNTIME_FILE = b"\x89RTK\r\n\x1a\n"
"""The first bytes of runtime files."""

ONNX_KEYS = (
    {"size", "mean", "std", "interpolation", "crop_fraction"},
    {"length", "vocabulary", "pad", "inputs", "tokenizer", "tokenizer.json", "adaptation"},
)
"""Metadata that every ONNX file of ours has: of a network for images, or for texts."""

LONGEST_HEADER = 2**27
"""Bytes of a safetensors file's header; longer ones are none."""

Recognise = Callable[[Path], bool]


def require_ours(path: Path | str, wrote: Recognise | None = None) -> None:
    """Refuse a file or folder that the user named and that holds what this product did not write.

    Fine is a place where nothing is, an empty folder, and what this product wrote. Call it before anything is
    computed, and again where the writing is done.

    Args:
        path: the place.
        wrote: recognises a file of another kind as ours, as a table by its heading.

    Raises:
        UserError: names what is there.
    """
    path = Path(path)
    if path.is_dir():
        if not is_folder_of_ours(path, wrote):
            foreign = next(entry.name for entry in entries(path) if not is_ours(entry, wrote))
            raise UserError(
                f"{path}: contains files that robust-tickets did not write ({foreign}); name an empty folder, or one "
                "that does not exist yet"
            )
    elif path.exists() and not is_ours(path, wrote):
        raise UserError(
            f"{path}: is a file that robust-tickets did not write and that would be lost; choose another name"
        )


def require_apart(out: Path | str | None, data: object) -> None:
    """Refuse to write into a folder of data, where results would be taken for images and classes.

    Args:
        out: where results go; None for nowhere.
        data: what the user gave as data; only a string or a path, or settings with such a `name`, can be a folder.

    Raises:
        UserError: `out` is that folder or lies in it.
    """
    name = getattr(data, "name", data)
    if out is None or not isinstance(name, str | Path) or not given_path(str(name)).is_dir():
        return
    folder, place = given_path(str(name)).resolve(), Path(out).resolve()
    if place.is_relative_to(folder):
        raise UserError(f"{out}: is inside the data folder {name}; choose a place outside it")


def is_ours(path: Path, wrote: Recognise | None = None) -> bool:
    """Return whether this product wrote a file, or everything in a folder, going by what is in it."""
    if path.is_dir():
        return is_folder_of_ours(path, wrote)
    if not path.is_file():
        return False
    recognise = KINDS.get(path.suffix.lower())
    return (recognise is not None and recognise(path)) or (wrote is not None and wrote(path))


def is_folder_of_ours(folder: Path, wrote: Recognise | None = None) -> bool:
    """Return whether a folder holds a record of ours, or nothing but folders and files of ours."""
    for name, keys in RECORDS.items():
        if (content := json_of(folder / name)) is not None and keys <= content.keys():
            return True
    if (folder / MASKS).is_file() and is_stamped(folder / MASKS):
        return True
    return all(is_ours(entry, wrote) for entry in entries(folder))


def entries(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, in order, without unfinished files that a killed process of ours left."""
    for entry in sorted(folder.iterdir()):
        if not (entry.name.startswith(".") and entry.name.endswith(TEMPORARY)):
            yield entry


def is_onnx(path: Path) -> bool:
    """Return whether an ONNX file has the metadata that ours have."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, OSError):
        return False
    said = {entry.key for entry in model.metadata_props}
    return any(said >= keys for keys in ONNX_KEYS)


def is_runtime_file(path: Path) -> bool:
    """Return whether a file begins as runtime files do."""
    return beginning(path, len(RUNTIME_FILE)) == RUNTIME_FILE


def is_stamped(path: Path) -> bool:
    """Return whether a safetensors file says that it is ours."""
    first = beginning(path, 8)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    if not 0 < length <= LONGEST_HEADER:
        return False
    try:
        header = json.loads(beginning(path, 8 + length)[8:])
    except ValueError:
        return False
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return isinstance(metadata, dict) and metadata.items() >= STAMP.items()


def is_page(path: Path) -> bool:
    """Return whether a page names us as its generator."""
    return re.search(rb'<meta name="generator" content="robust-tickets', beginning(path, 4096)) is not None


def is_picture_of_ours(path: Path) -> bool:
    """Return whether an image file says that we wrote it."""
    return f"Software\0{GENERATOR}".encode() in beginning(path, 4096)


def beginning(path: Path, size: int) -> bytes:
    """Return the first bytes of a file; none of one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def json_of(path: Path) -> dict[str, Any] | None:
    """Return what is in a JSON file, where it is there and holds an object."""
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, OSError):
        return None
    return content if isinstance(content, dict) else None


KINDS: dict[str, Recognise] = {
    ".onnx": is_onnx,
    ".rtk": is_runtime_file,
    ".safetensors": is_stamped,
    ".html": is_page,
    ".png": is_picture_of_ours,
}
"""What recognises a file of ours, by its suffix."""
