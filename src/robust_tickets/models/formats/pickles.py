"""The globals a pickle would import, listed without importing them."""

import contextlib
import itertools
import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import torch

STRINGS = {
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "SHORT_BINUNICODE",
}

TENSOR_GLOBALS = {
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("__builtin__", "set"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch.storage", "UntypedStorage"),
    ("torch.storage", "TypedStorage"),
}


HARMLESS_GLOBALS = {
    ("argparse", "Namespace"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
}
"""What training scripts leave next to the tensors: options and scores. Building these executes nothing."""


BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, MemoryError, OSError, RuntimeError, ValueError)
"""What zipfile and pickletools raise where a file stops making sense."""


def is_tensor_global(module: str, name: str) -> bool:
    """Return whether a global does no more than rebuild a tensor or a plain container."""
    if (module, name) in TENSOR_GLOBALS:
        return True
    found = getattr(torch, name, None) if module == "torch" else None  # None for dotted names, too
    return isinstance(found, torch.dtype) or (isinstance(found, type) and name.endswith("Storage"))


def foreign_globals(path: Path) -> list[str]:
    """Return, in order of appearance, the globals of a PyTorch file that are neither tensors' nor harmless.

    What cannot be followed to its end (a file cut short) is reported as far as it goes.
    """
    found: dict[str, None] = {}
    with contextlib.suppress(*BROKEN):
        for stream in _pickles(path):
            for module, name in _globals(stream):
                if not is_tensor_global(module, name) and (module, name) not in HARMLESS_GLOBALS:
                    found[f"{module}.{name}"] = None
    return list(found)


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """Yield the pickle of PyTorch's zip format, or the five that its older format begins with."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    with archive.open(name) as stream:
                        yield stream
        return
    with path.open("rb") as stream:
        for _ in itertools.takewhile(lambda _: stream.peek(1)[:1] == b"\x80", range(5)):
            yield stream


def _globals(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Yield module and name of every import of one pickle."""
    strings = ["", ""]
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "GLOBAL" | "INST":
                module, _, name = str(argument).partition(" ")
                yield module, name
                strings.append("")
            case "STACK_GLOBAL":
                yield strings[-2], strings[-1]
                strings.append("")
            case "MEMOIZE":
                memo[len(memo)] = strings[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[_index(argument)] = strings[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                strings.append(memo.get(_index(argument), ""))
            case kind:
                if kind in STRINGS:
                    strings.append(str(argument))


def _index(argument: object) -> int:
    return int(str(argument))
