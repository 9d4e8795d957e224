"""Runtime files, `.rtk`: a graph and its weights, the weights as small as their zeros allow.

| bytes | what |
|---|---|
| 0-7 | `MAGIC` |
| 8-11 | version of the format, unsigned, like all numbers little-endian |
| 12-15 | zero |
| 16-23 | length of the header |
| 24-31 | length of the file |
| 32-63 | SHA-256 of everything else: bytes 0-31, and from 64 on |
| 64- | header: JSON, see `header.py` |
| then | for each weight in the header's order: indices, values; each from a multiple of 64 on |

Nothing in a file is executed or trusted: lengths follow from a table that is checked before anything is allocated
that is much larger than the file, and the graph is checked as `operations.require_valid` does.
"""

import contextlib
import errno
import hashlib
import os
import stat
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.runtime.storage.encoding import StoredWeight, decode, encode
from robust_tickets.runtime.storage.header import LARGEST_HEADER, Header, header_bytes, parse_header
from robust_tickets.runtime.storage.indices import Bytes

MAGIC = b"\x89RTK\r\n\x1a\n"
"""As PNG's: not ASCII, and broken by whatever translates line ends."""
VERSION = 1
PREAMBLE = struct.Struct("<8sIIQQ")
BEGIN = 64
"""Of the header, behind the preamble and the digest."""
ALIGNMENT = 64
LARGEST_FILE = 2**33
"""Bytes."""
FOREIGN = {
    b"PK\x03\x04": "a zip archive, such as a torch checkpoint",
    b"\x08": "an ONNX model",
    b"\x80": "a pickle",
    b"\x89HDF": "an HDF5 file",
}


def write_file(graph: Graph, path: Path | str, *, half: bool = False) -> None:
    """Write a graph, each weight in its smallest encoding; completely or not at all, whatever happens on the way.

    With `half` values are rounded to float16, except those of vectors (biases, scales, shifts), which are few and
    may be large. The same graph always gives the same bytes.

    Raises:
        RuntimeFileError: the graph is malformed, a value is too large for float16, or the place cannot be written.
    """
    path = Path(path)
    try:
        require_valid(graph)
        encoded = [
            encode(name, weight, "float16" if half and len(weight.shape) > 1 else "float32")
            for name, weight in graph.weights.items()
        ]
        header = header_bytes(graph, [stored for stored, _, _ in encoded])
    except RuntimeFileError as error:
        raise RuntimeFileError(f"{path}: {error}") from None
    parts = [np.frombuffer(header, np.uint8), *(part for _, index, values in encoded for part in (index, values))]
    chunks = [chunk for part in parts for chunk in (part, np.zeros(-part.size % ALIGNMENT, np.uint8))]
    length = BEGIN + sum(chunk.size for chunk in chunks)
    preamble = PREAMBLE.pack(MAGIC, VERSION, 0, len(header), length)
    digest = hashlib.sha256(preamble)
    for chunk in chunks:
        digest.update(chunk.data)
    _write_atomic(path, [np.frombuffer(preamble + digest.digest(), np.uint8), *chunks])


def read_file(path: Path | str) -> Graph:
    """Read a graph. Weights that are not stored dense come as their nonzeros.

    Raises:
        RuntimeFileError: the file is missing, not a runtime file, of a newer version, damaged, or malformed.
    """
    path = Path(path)
    try:
        content, header = _read(path)
        weights = {}
        for stored, index, values in _sections(content, header):
            try:
                weights[stored.name] = decode(stored, index, values)
            except RuntimeFileError as error:
                raise RuntimeFileError(f"weight {stored.name[:80]!r}: {error}") from None
        graph = header.with_weights(weights)
        require_valid(graph)
    except RuntimeFileError as error:
        raise RuntimeFileError(f"{path}: {error}") from None
    return graph


def stored_weights(path: Path | str) -> tuple[StoredWeight, ...]:
    """Return how each weight of a file is stored, and in how many bytes.

    Raises:
        RuntimeFileError: as `read_file`.
    """
    try:
        return _read(Path(path))[1].weights
    except RuntimeFileError as error:
        raise RuntimeFileError(f"{path}: {error}") from None


def stored_digest(path: Path | str) -> str:
    """Return the digest that a file states, in hexadecimal digits: the same of two files only if they are the same.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return file.read(BEGIN)[PREAMBLE.size :].hex()


def _read(path: Path) -> tuple[Bytes, Header]:
    """Return a file's bytes, which are what their digest says, and its header, which accounts for all of them."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RuntimeFileError("is not a file; give a runtime file (.rtk)")
        with path.open("rb") as file:
            header_length, length = _lengths(file.read(BEGIN), os.fstat(file.fileno()).st_size)
            file.seek(0)
            content = np.empty(length, np.uint8)
            if file.readinto(content.data) != length:
                raise RuntimeFileError("changed while it was read")
    except FileNotFoundError:
        raise RuntimeFileError("no such file") from None
    except OSError as error:
        raise RuntimeFileError(f"cannot be read ({error.strerror})") from None
    digest = hashlib.sha256(content[: PREAMBLE.size].data)
    digest.update(content[BEGIN:].data)
    if digest.digest() != content[PREAMBLE.size : BEGIN].tobytes():
        raise RuntimeFileError("is damaged: its content does not match its digest; copy or export it again")
    header = parse_header(content[BEGIN : BEGIN + header_length].tobytes())
    end = _aligned(BEGIN + header_length)
    for stored in header.weights:
        end = _aligned(_aligned(end + stored.index_bytes) + stored.value_bytes)
    if end != length:
        raise RuntimeFileError(f"its weights need {end} bytes, but it has {length}")
    return content, header


def _lengths(begin: bytes, size: int) -> tuple[int, int]:
    """Return the lengths of header and file from a file's first bytes."""
    if not begin.startswith(MAGIC):
        likeness = next((f" but {kind}" for magic, kind in FOREIGN.items() if begin.startswith(magic)), "")
        state = "is empty" if not size else f"is not a runtime file{likeness}"
        raise RuntimeFileError(f"{state}; write one with `tickets shrink ... model.rtk`")
    if size < BEGIN:
        raise RuntimeFileError(f"is truncated after {size} bytes; copy or export it again")
    _, version, zero, header_length, length = PREAMBLE.unpack(begin[: PREAMBLE.size])
    if version > VERSION:
        raise RuntimeFileError(
            f"has version {version} of the format, but this robust-tickets reads up to {VERSION}: update it"
        )
    if size > length:
        raise RuntimeFileError(f"has {size} bytes but should have {length}; copy or export it again")
    if size < length:
        raise RuntimeFileError(f"is truncated: it has {size} of {length} bytes; copy or export it again")
    if (
        version != VERSION
        or zero
        or length != size
        or length > LARGEST_FILE
        or not 0 < header_length <= min(LARGEST_HEADER, length - BEGIN)
    ):
        raise RuntimeFileError("is damaged in its first bytes; copy or export it again")
    return header_length, length


def _sections(content: Bytes, header: Header) -> Iterator[tuple[StoredWeight, Bytes, Bytes]]:
    """Yield the bytes of indices and of values of every weight."""
    header_length = PREAMBLE.unpack(content[: PREAMBLE.size].tobytes())[3]
    begin = _aligned(BEGIN + header_length)
    for stored in header.weights:
        middle = _aligned(begin + stored.index_bytes)
        yield (
            stored,
            content[begin : begin + stored.index_bytes],
            content[middle : middle + stored.value_bytes],
        )
        begin = _aligned(middle + stored.value_bytes)


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _write_atomic(path: Path, chunks: list[Bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tickets.part", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                for chunk in chunks:
                    file.write(chunk.data)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise RuntimeFileError(f"{path}: no space left to write it; free some space and try again") from error
        raise RuntimeFileError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
