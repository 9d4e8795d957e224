"""How a weight is stored: whole, or as the groups of its elements that are not all zero; whichever is smallest.

| encoding | group that is stored or left out as one |
|---|---|
| dense | none: everything is stored |
| element | one element |
| row | kw consecutive elements |
| kernel | a kh x kw slice |
| filter | an output channel |
| block8x1, block16x1 | 8 or 16 consecutive output channels at one (input, row, column) |

Zeros inside a stored group are stored, and dropped when the weight is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Weight
from robust_tickets.runtime.storage.indices import Bytes, Indices, decode_indices, encode_indices

ENCODINGS = ("dense", "element", "row", "kernel", "filter", "block8x1", "block16x1")
CODINGS = ("none", "gaps", "bitmap")
DTYPES = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


@dataclass(frozen=True)
class StoredWeight:
    """A weight's entry in the table of a file."""

    name: str
    shape: tuple[int, ...]
    encoding: str
    """One of `ENCODINGS`."""
    groups: int
    """How many groups are stored; elements if the encoding is dense."""
    coding: str
    """Of the groups' indices: one of `CODINGS`; "none" if the encoding is dense."""
    index_bytes: int
    dtype: str
    """Of the values: one of `DTYPES`."""

    @property
    def value_bytes(self) -> int:
        """Bytes of the values, before padding."""
        block, run = group_shape(self.encoding, self.shape)
        return self.groups * block * run * DTYPES[self.dtype].itemsize

    @property
    def bytes(self) -> int:
        """Bytes of indices and values together, before padding."""
        return self.index_bytes + self.value_bytes

    @property
    def dense_bytes(self) -> int:
        """Bytes of the whole weight in float32."""
        return 4 * prod(self.shape)


def group_shape(encoding: str, shape: Sequence[int]) -> tuple[int, int]:
    """Return of how many output channels and of how many consecutive elements of each a group consists.

    Raises:
        RuntimeFileError: a weight of this shape has no such groups.
    """
    if encoding in ("dense", "element"):
        return 1, 1
    if encoding == "filter" and len(shape) > 1:
        return 1, prod(shape[1:])
    if encoding == "kernel" and len(shape) == 4:
        return 1, prod(shape[2:])
    if encoding == "row" and len(shape) == 4:
        return 1, shape[3]
    if encoding in ("block16x1", "block8x1") and len(shape) > 1:
        block = 16 if encoding == "block16x1" else 8
        if shape[0] % block == 0:
            return block, 1
    raise RuntimeFileError(f"a weight of shape {tuple(shape)} cannot be stored as {encoding}")


def encode(name: str, weight: Weight, dtype: Literal["float32", "float16"]) -> tuple[StoredWeight, Bytes, Bytes]:
    """Return the smallest way to store a weight: its entry, the bytes of its indices, and those of its values.

    Raises:
        RuntimeFileError: a value is too large for float16.
    """
    full = weight.dense()
    with np.errstate(over="ignore"):
        values = full.astype(DTYPES[dtype])
    if not np.isfinite(values).all():
        raise RuntimeFileError(
            f"weight {name!r} contains {np.abs(full).max():g}, but float16 ends at 65504: store it in float32"
        )
    kept = values != 0
    best = StoredWeight(name, weight.shape, "dense", kept.size, "none", 0, dtype)
    best_index = np.empty(0, np.uint8)
    tried = set()
    for encoding in ENCODINGS[1:]:
        try:
            block, run = group_shape(encoding, weight.shape)
        except RuntimeFileError:
            continue
        if (block, run) in tried:
            continue
        tried.add((block, run))
        present = _grouped(kept, block, run).any((2, 3)).ravel()
        if present.sum() * block * run * values.itemsize >= best.bytes:
            continue
        indices = np.flatnonzero(present)
        coding, coded = encode_indices(indices, present.size)
        stored = StoredWeight(name, weight.shape, encoding, indices.size, coding, coded.size, dtype)
        if stored.bytes < best.bytes:
            best, best_index = stored, coded
    if best.encoding == "dense":
        return best, best_index, _as_bytes(values)
    block, run = group_shape(best.encoding, best.shape)
    groups = _grouped(values, block, run)
    chosen = np.flatnonzero(_grouped(kept, block, run).any((2, 3)))
    return best, best_index, _as_bytes(groups.reshape(-1, block * run)[chosen])


def decode(stored: StoredWeight, index: Bytes, values: Bytes) -> Weight:
    """Return the weight; what an encoding other than dense leaves out, and what is zero, has no position.

    Raises:
        RuntimeFileError: the bytes contradict the entry.
    """
    numbers = values.view(DTYPES[stored.dtype]).astype(np.float32, copy=False)
    if stored.encoding == "dense":
        return Weight(stored.shape, numbers)
    block, run = group_shape(stored.encoding, stored.shape)
    count = prod(stored.shape) // (block * run)
    groups = decode_indices(stored.coding, index, count, stored.groups)
    if block > 1:
        positions, numbers = _spread_blocks(groups, numbers, block, prod(stored.shape[1:]))
    elif run > 1:
        positions = (groups[:, None] * run + np.arange(run)).ravel()
    else:
        positions = groups
    nonzero = numbers != 0
    if not nonzero.all():
        positions, numbers = positions[nonzero], numbers[nonzero]
    return Weight(stored.shape, numbers, positions)


def _grouped(weight: NDArray[np.generic], block: int, run: int) -> NDArray[np.generic]:
    """View a weight [O, ...] as [O / block, groups, block, run]."""
    outputs = weight.shape[0] // block
    return weight.reshape(outputs, block, -1, run).swapaxes(1, 2)


def _as_bytes(values: NDArray[np.generic]) -> Bytes:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _spread_blocks(
    groups: Indices, numbers: NDArray[np.float32], block: int, columns: int
) -> tuple[Indices, NDArray[np.float32]]:
    """Return positions, ascending, and values of blocks of output channels, each at one of the columns.

    Blocks of the same channels follow each other in the file; in the weight they are `block` rows that all have the
    same columns. So row j of a band of n blocks lies at j * n behind the band's begin: no sorting.
    """
    band, column = groups // columns, groups % columns
    begins = np.flatnonzero(np.diff(band, prepend=-1))
    lengths = np.diff(begins, append=groups.size)
    begin, length = np.repeat(begins, lengths), np.repeat(lengths, lengths)
    row = np.arange(block)
    target = (begin * block + np.arange(groups.size) - begin)[:, None] + row * length[:, None]
    positions = np.empty(groups.size * block, np.int64)
    ordered = np.empty(groups.size * block, np.float32)
    positions[target.ravel()] = ((band[:, None] * block + row) * columns + column[:, None]).ravel()
    ordered[target.ravel()] = numbers
    return positions, ordered
