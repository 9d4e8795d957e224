"""Ascending indices as bytes: what says which elements, or groups of elements, of a weight are stored.

Two codings, of which the smaller is taken:

- `gaps`: one byte for each index, how many indices lie between it and the one before; 255 stands for 255 indices
  that are passed over without storing any, so that a gap of any length is some 255s and a byte below 255;
- `bitmap`: one bit for each index there could be, the lowest bit of a byte first.
"""

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import RuntimeFileError

ESCAPE = 255
Indices = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def encode_indices(indices: Indices, size: int) -> tuple[str, Bytes]:
    """Return the name of the smaller coding and the bytes of strictly ascending indices in [0, size)."""
    gaps = np.diff(indices, prepend=-1) - 1
    escapes = gaps // ESCAPE
    if indices.size + int(escapes.sum()) <= -(-size // 8):
        coded = np.full(indices.size + int(escapes.sum()), ESCAPE, np.uint8)
        coded[np.cumsum(escapes + 1) - 1] = gaps % ESCAPE
        return "gaps", coded
    present = np.zeros(size, np.bool_)
    present[indices] = True
    return "bitmap", np.packbits(present, bitorder="little")


def decode_indices(coding: str, coded: Bytes, size: int, count: int) -> Indices:
    """Return `count` strictly ascending indices in [0, size), int64.

    Raises:
        RuntimeFileError: the bytes do not hold this many, or one beyond the size.
    """
    if coding == "gaps":
        stored = coded != ESCAPE
        # Every byte passes over as many indices as it says; one below 255 then stores the next.
        passed = np.cumsum(coded + stored.astype(np.uint16), dtype=np.int64)
        indices = passed[stored] - 1
    elif coded.size != -(-size // 8):
        raise RuntimeFileError(f"a bitmap of {coded.size} bytes for {size} indices")
    else:
        indices = np.flatnonzero(np.unpackbits(coded, count=size, bitorder="little").view(np.bool_))
    if indices.size != count:
        raise RuntimeFileError(f"it has {indices.size} indices but announces {count}")
    if count and indices[-1] >= size:
        raise RuntimeFileError(f"index {indices[-1]} is beyond {size}")
    return indices
