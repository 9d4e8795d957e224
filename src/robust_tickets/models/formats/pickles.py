"""The globals a pickle would import, listed without importing them."""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

STRINGS = {
    "STRING",
    "UNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "BINSTRING",
    "SHORT_BINSTRING",
}
TENSOR_MODULES = ("torch", "torch._utils", "torch.storage", "torch._tensor", "torch.nn.parameter")


def foreign_globals(path: Path) -> list[str]:
    """Return, in order of appearance, the globals of a PyTorch file that are not PyTorch's or `OrderedDict`.

    What cannot be followed to its end (a file cut short) is reported as far as it goes.
    """
    found: dict[str, None] = {}
    for stream in _pickles(path):
        for name in _globals(stream):
            module = name.rpartition(".")[0]
            if module not in TENSOR_MODULES and name != "collections.OrderedDict":
                found[name] = None
    return list(found)


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """Yield the pickle of PyTorch's zip format, or those its older format begins with."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    with archive.open(name) as stream:
                        yield stream
        return
    size = path.stat().st_size
    with path.open("rb") as stream:
        while stream.tell() < size and stream.peek(1)[:1] == b"\x80":
            yield stream


def _globals(stream: IO[bytes]) -> Iterator[str]:
    """Yield the `module.name` of every import of one pickle, up to its end or where it stops making sense."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            match opcode.name:
                case "GLOBAL" | "INST":
                    yield str(argument).replace(" ", ".")
                case "STACK_GLOBAL":
                    yield ".".join(strings[-2:])
                case "MEMOIZE":
                    memo[len(memo)] = strings[-1] if strings else ""
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[int(argument)] = strings[-1] if strings else ""  # pyright: ignore[reportArgumentType]
                case "GET" | "BINGET" | "LONG_BINGET":
                    strings.append(memo.get(int(argument), ""))  # pyright: ignore[reportArgumentType]
                case name if name in STRINGS:
                    strings.append(str(argument))
    except (ValueError, EOFError):
        return
