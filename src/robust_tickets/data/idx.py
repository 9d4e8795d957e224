"""MNIST's idx files, gzipped or not."""

import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.npz import class_names, int64_labels, uint8_images
from robust_tickets.data.part_names import PartName, part_in
from robust_tickets.data.parts import Found, Source
from robust_tickets.foundation.errors import UserError

IMAGE_FILE = re.compile(r".*images[-.]idx3-ubyte(\.gz)?")
UNSIGNED_BYTES = 8


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array of one idx file: two zero bytes, type, rank, big-endian sizes, values.

    Raises:
        UserError: the file is damaged, or holds no unsigned bytes.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); fetch it again") from None
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise UserError(f"{path}: is no idx file of unsigned bytes")
    begin = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:begin], ">u4").tolist())
    values = np.frombuffer(content[begin:], np.uint8)
    if values.size != np.prod(shape, dtype=np.int64):
        raise UserError(f"{path}: holds {values.size} values and announces {shape}; it is truncated, fetch it again")
    return values.reshape(shape)


def image_files(folder: Path) -> list[Path]:
    """Return the idx files of images in a folder or in its raw/, as torchvision lays them out."""
    for place in (folder, folder / "raw"):
        found = sorted(path for path in place.glob("*idx3*") if IMAGE_FILE.fullmatch(path.name))
        # An unpacked file beside its archive is the same data.
        kept = [path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found]
        if kept:
            return kept
    return []


def read_idx_files(paths: Sequence[Path], name: str) -> Found:
    """Return the parts whose image files are `paths`; labels lie beside them.

    Raises:
        UserError: labels are missing or do not fit, or a file's name speaks of no known part.
    """
    parts: dict[PartName, Source] = {}
    count = 0
    for path in paths:
        part = part_in(path.name)
        if part is None or part in parts:
            raise UserError(f"{path}: names {'a second' if part else 'no'} part train, val or test (t10k)")
        beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        if not beside.is_file():
            raise UserError(f"{beside}: no such file; the labels belong beside {path.name}")
        images = uint8_images(read_idx(path), str(path))
        labels = int64_labels(read_idx(beside), len(images), str(beside))
        parts[part] = ImageArrays(images, labels)
        count = max(count, int(labels.max()) + 1)
    return Found(parts, class_names(paths, [], count), name)
