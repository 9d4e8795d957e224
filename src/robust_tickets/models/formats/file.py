"""Reading a file of tensors without executing anything in it."""

import importlib
import pickle
import shlex
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.pickles import HARMLESS_GLOBALS, foreign_globals

MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What PyTorch raises while it reads a file whose content is not as it should be."""


def read_checkpoint(path: Path) -> Any:
    """Return what a safetensors or PyTorch file holds, tensors on the CPU.

    Raises:
        UserError: the file is missing, empty, cut short, not a file of weights, or a pickle that would import
            code; one line says which.
    """
    if file_kind(path) == "safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: is a broken safetensors file ({error}); fetch it again") from None
    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if foreign := foreign_globals(path):
            raise UserError(
                f"{path}: is a pickle that imports {', '.join(foreign[:4])}{' ...' if foreign[4:] else ''}; "
                f"it was not executed; its tensors alone: tickets convert {shlex.quote(str(path))} "
                f"{path.stem}.safetensors --allow-pickle, and give that file as `weights`"
            ) from None
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); fetch it again") from None
    except MALFORMED as error:
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); fetch it again") from None


def file_kind(path: Path) -> str:
    """Return "safetensors", "zip" or "pickle" (PyTorch's two formats), by the first bytes.

    Raises:
        UserError: the file is missing, empty or something else; one line says what.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the file of weights in it")
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except PermissionError:
        raise UserError(f"{path}: may not be read by this user; change its permissions") from None
    if not start:
        raise UserError(f"{path}: is empty; fetch it again")
    if start[8:9] == b"{":
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        _refuse_programs(path)
        return "zip"
    if start.startswith(b"\x80"):
        return "pickle"
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise UserError(f"{path}: is a web page, not weights; the download link led to a page")
    if text.startswith(b"version https://git-lfs"):
        raise UserError(f"{path}: is a Git LFS pointer, not weights; run `git lfs pull`")
    raise UserError(f"{path}: is not a file of weights; PyTorch (.pt, .pth, .ckpt) and .safetensors are read")


def _refuse_programs(path: Path) -> None:
    """Refuse TorchScript archives, which PyTorch would execute rather than read."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise UserError(f"{path}: is a TorchScript program, not weights; save its state_dict()")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _harmless() -> list[Any]:
    """Return what may be built beside tensors, each under the name that files have for it."""
    found: list[Any] = [type(np.dtype(kind)) for kind in "?bBhHiIlLefdg"]
    for module, name in HARMLESS_GLOBALS:
        # numpy renamed its private package; files keep the name they were written with
        home = importlib.import_module(module.replace(".core.", "._core."))
        found.append((getattr(home, name), f"{module}.{name}"))
    return found
