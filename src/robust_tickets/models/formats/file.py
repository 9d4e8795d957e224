"""Reading a file of tensors without executing anything in it."""

import importlib
import pickle
import shlex
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.pickles import HARMLESS_GLOBALS, foreign_globals
from robust_tickets.models.formats.shards import is_index, shards_of
from robust_tickets.models.formats.signatures import stranger

MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What PyTorch and zipfile raise while they read a file whose content is not as it should be.

Python's assertions are among them since PyTorch states what it expects of a legacy file that way, and memory is since
a damaged length asks for any amount of it.
"""


def read_checkpoint(path: Path) -> Any:
    """Return what a safetensors or PyTorch file holds, tensors on the CPU; of an index, what all its shards hold.

    Raises:
        UserError: the file is missing, empty, cut short, damaged, not a file of weights, or a pickle that would
            import code; one line says which.
    """
    kind = file_kind(path)
    if kind == "index":
        return _read_shards(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    try:
        if kind == "zip":
            _compare_checksums(path)
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if foreign := foreign_globals(path):
            raise UserError(
                f"{path}: is a pickle that imports {', '.join(foreign[:4])}{' ...' if foreign[4:] else ''}; it was not "
                f"executed; extract its tensors with: tickets convert {shlex.quote(str(path))} {path.stem}.safetensors "
                "--allow-pickle, and give that file as `weights`"
            ) from None
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); download it again") from None
    except MALFORMED as error:
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); download it again") from None


def file_kind(path: Path) -> str:
    """Return "safetensors", "index" (of shards), "zip" or "pickle" (PyTorch's two formats), by the first bytes.

    Raises:
        UserError: the file is missing, empty or something else; one line says what.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        files = sorted(file.name for file in path.iterdir() if file.suffix in WEIGHT_SUFFIXES)
        there = f", such as {', '.join(files[:3])}" if files else "; it contains none"
        raise UserError(f"{path}: is a folder; give the weights file in it{there}")
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except PermissionError:
        raise UserError(f"{path}: this user may not read it; change its permissions") from None
    if not start:
        raise UserError(f"{path}: is empty; download it again")
    if is_index(start):
        return "index"
    if start[8:9] == b"{" and b"\0" in start[:8]:
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        _refuse_other_archives(path)
        return "zip"
    if start.startswith(b"\x80"):
        return "pickle"
    if what := stranger(start, path.name):
        raise UserError(f"{path}: {what}")
    raise UserError(f"{path}: is not a weights file; PyTorch (.pt, .pth, .ckpt) and .safetensors are read")


WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th", ".tar")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, tied ones under all their names.

    `safetensors.torch.save_model` writes one of several names that share a tensor, and the others as metadata.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            metadata: dict[str, str] = file.metadata() or {}
            for dropped, kept in metadata.items():
                if kept in state and dropped not in state:
                    state[dropped] = state[kept]
            return state
    except (SafetensorError, *MALFORMED) as error:
        raise UserError(f"{path}: is a broken safetensors file ({_first_line(error)}); download it again") from None


def _read_shards(index: Path) -> dict[str, Tensor]:
    """Return the tensors of all files that an index names."""
    state: dict[str, Tensor] = {}
    for shard, names in shards_of(index).items():
        content = {} if file_kind(shard) == "index" else read_checkpoint(shard)
        held = content.keys() if isinstance(content, dict) else ()
        if absent := [name for name in names if name not in held]:
            raise UserError(f"{shard}: lacks {absent[0]}, which {index.name} says is in it; download both again")
        state |= {name: content[name] for name in names}
    return state


def _refuse_other_archives(path: Path) -> None:
    """Refuse zip archives that PyTorch did not write, and TorchScript, which it would execute rather than read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except MALFORMED as error:
        raise UserError(f"{path}: is broken or cut short ({_first_line(error)}); download it again") from None
    if any(name.endswith("/constants.pkl") for name in names):
        raise UserError(f"{path}: is a TorchScript program, not weights; save its state_dict()")
    if not any(name.endswith("data.pkl") for name in names):
        within = ", ".join(names[:3]) or "nothing"
        keras = any(name.endswith(".weights.h5") for name in names)
        what = "a Keras model; convert its weights to PyTorch first" if keras else "unpack it and give what is in it"
        raise UserError(f"{path}: is a zip archive of {within}, not a PyTorch file; {what}")


def _compare_checksums(path: Path) -> None:
    """Compare every record with its checksum, which `torch.load` does not.

    Raises:
        zipfile.BadZipFile: a record was altered. Those written without a checksum (it is 0) are not compared.
    """
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if record.CRC:
                with archive.open(record) as stream:
                    while stream.read(1 << 20):
                        pass


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120] or type(error).__name__


def _harmless() -> list[Any]:
    """Return what may be built besides tensors, each under the name that files use for it."""
    found: list[Any] = [type(np.dtype(kind)) for kind in "?bBhHiIlLefdg"]
    for module, name in HARMLESS_GLOBALS:
        # numpy renamed its private package; files keep the name they were written with
        home = importlib.import_module(module.replace(".core.", "._core."))
        found.append((getattr(home, name), f"{module}.{name}"))
    return found
