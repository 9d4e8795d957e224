"""Reading a file of tensors without executing anything in it."""

import argparse
import codecs
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.pickles import foreign_globals

HARMLESS: list[Any] = [
    argparse.Namespace,
    codecs.encode,
    np.dtype,
    np.ndarray,
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLefdg"),
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # pyright: ignore[reportAttributeAccessIssue]
    np._core.multiarray.scalar,  # pyright: ignore[reportAttributeAccessIssue]
]
"""What training scripts leave beside the tensors: options and scores. Building these executes nothing."""


def read_checkpoint(path: Path) -> Any:
    """Return what a safetensors or PyTorch file holds, tensors on the CPU.

    Raises:
        UserError: the file is missing, empty, cut short, not a file of weights, or a pickle that would import
            code; one line says which.
    """
    kind = _kind(path)
    if kind == "safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: is a broken safetensors file ({error}); fetch it again") from None
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if foreign := foreign_globals(path):
            raise UserError(
                f"{path}: is a pickle that imports {', '.join(foreign[:4])}{' ...' if foreign[4:] else ''}; "
                f"it was not executed; if you trust its origin: tickets convert {path}"
            ) from None
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); fetch it again") from None
    except (RuntimeError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); fetch it again") from None


def _kind(path: Path) -> str:
    """Tell safetensors from PyTorch's two formats by the first bytes, and name what is neither."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the file of weights in it")
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise UserError(f"{path}: is empty; fetch it again")
    if start[8:9] == b"{":
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start.startswith(b"\x80"):
        return "pickle"
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise UserError(f"{path}: is a web page, not weights; the download link led to a page")
    if text.startswith(b"version https://git-lfs"):
        raise UserError(f"{path}: is a Git LFS pointer, not weights; run `git lfs pull`")
    raise UserError(f"{path}: is not a file of weights; PyTorch (.pt, .pth, .ckpt) and .safetensors are read")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
