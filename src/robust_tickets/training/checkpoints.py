"""One file with everything a killed training needs to resume as if nothing had happened."""

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_atomic

VERSION = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) atomically.

    Raises:
        UserError: the disk is full; the checkpoint before this one is as it was.
    """

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            save_tensors(file, {"version": VERSION, **state})

    write_atomic(path, write)


def save_tensors(file: BinaryIO, state: dict[str, Any]) -> None:
    """Call `torch.save`, and pass on the operating system's error if it fails."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the checkpoint at `path` on the CPU, or None if there is none.

    Raises:
        UserError: the file is damaged or of another version; it is never executed.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
            if (part := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"{part} has another checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: this checkpoint is damaged ({reason}); delete it to start this step again") from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise UserError(f"{path}: is not a checkpoint of version {VERSION}; delete it to start this step again")
    return state
