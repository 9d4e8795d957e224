"""Files of whole arrays: NumPy archives, encoded (`webp`, `offset`, `label`) or plain, and MNIST's idx files."""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.forms.shards import shards_at, spoken_parts
from robust_tickets.data.images.arrays import int64_labels, labelled, uint8_images
from robust_tickets.data.images.image_files import in_threads
from robust_tickets.data.names import PartName, distinct, part_in, part_of
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json

IMAGE_KEYS = ("images", "image", "x", "X", "data")
LABEL_KEYS = ("labels", "label", "y", "Y", "targets")
CLASS_KEYS = ("class_names", "classes")

IMAGE_FILE = re.compile(r".*images[-.]idx3-ubyte(\.gz)?")
UNSIGNED_BYTES = 8

Arrays = tuple[Tensor, Tensor]


def decoded_webp(encoded: np.ndarray, offsets: np.ndarray, where: str) -> Tensor:
    """Return uint8 images `(N, 3, H, W)` decoded from one buffer of image files.

    Raises:
        UserError: an image cannot be decoded, or has another size than the first.
    """
    count = len(offsets) - 1
    buffer = encoded.tobytes()

    def decode(index: int) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(buffer[offsets[index] : offsets[index + 1]])) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            raise UserError(f"{where}, image {index}: cannot be decoded ({error})") from None

    first = decode(0)
    images = np.empty((count, *first.shape), np.uint8)

    def fill(block: range) -> None:
        for index in block:
            image = decode(index)
            if image.shape != first.shape:
                raise UserError(f"{where}, image {index}: has shape {image.shape}, but the first has {first.shape}")
            images[index] = image

    in_threads(fill, [range(begin, min(begin + 500, count)) for begin in range(0, count, 500)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def archive_parts(path: Path, archive: Mapping[str, np.ndarray], of_file: PartName) -> dict[PartName, Arrays]:
    """Return images and labels of each part in one archive; `of_file` is the part of keys that name none.

    Raises:
        UserError: no known pair of keys is there, or two pairs belong to one part.
    """
    keys = list(archive)
    if {"webp", "offset", "label"} <= set(keys):
        images = decoded_webp(archive["webp"], archive["offset"], str(path))
        return {of_file: (images, int64_labels(archive["label"], len(images), f"{path}, label"))}
    pairs: list[tuple[str, str]] = []
    for key in keys:
        stems = [word for word in re.split(r"[_\-]", key) if part_of(word) is None]
        if len(stems) != 1 or stems[0] not in IMAGE_KEYS:
            continue
        partners = [key.replace(stems[0], label) for label in LABEL_KEYS if key.replace(stems[0], label) in keys]
        pairs += [(key, partners[0])] if partners else []
    if not pairs:
        raise UserError(
            f"{path}: contains {enumerated(keys, 'nothing')}; expected images and labels, x_train and y_train, or "
            "webp, offset and label"
        )
    partner = dict(pairs)
    parts: dict[PartName, Arrays] = {}
    for part, key in distinct([(key, part_in(key) or of_file) for key in partner], str(path)).items():
        images = uint8_images(archive[key], f"{path}, {key}")
        parts[part] = (images, int64_labels(archive[partner[key]], len(images), f"{path}, {partner[key]}"))
    return parts


def class_names(paths: Sequence[Path], archives: Sequence[Mapping[str, np.ndarray]], count: int) -> tuple[str, ...]:
    """Return class names from the archives, from labels.json next to them, or the labels themselves."""
    for archive in archives:
        for key in CLASS_KEYS:
            if key in archive and len(archive[key]) >= count:
                return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in archive[key].tolist())
    if (beside := paths[0].parent / "labels.json").is_file():
        content = read_json(beside)
        lists = [content] if isinstance(content, list) else [v for v in content.values() if isinstance(v, list)]
        for names in lists:
            if len(names) >= count:
                return tuple(map(str, names))
    return tuple(map(str, range(count)))


def open_archive(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of an archive; nothing in it is executed.

    Raises:
        UserError: the file is not a NumPy archive, or contains Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise UserError(f"{path}: is not a readable .npz archive of plain arrays ({error})") from None


def npz_files(path: Path) -> list[Path]:
    """Return an archive, those that a pattern matches, or those in a folder, whatever else is there."""
    return sorted(path.glob("[!.]*.npz")) if path.is_dir() else shards_at(path, ".npz")


def read_npz(paths: Sequence[Path], name: str) -> Found:
    """Return the parts of one or several archives; files of one part are joined in order of their names."""
    archives = [open_archive(path) for path in paths]
    pieces: dict[PartName, list[Arrays]] = {}
    for path, archive, of_file in zip(paths, archives, spoken_parts(paths, paths[0].parent), strict=True):
        for part, arrays in archive_parts(path, archive, of_file).items():
            pieces.setdefault(part, []).append(arrays)
    joined: dict[PartName, Listing] = {}
    for part, arrays in pieces.items():
        shapes = {tuple(images.shape[1:]) for images, _ in arrays}
        if len(shapes) > 1:
            raise UserError(f"{name}: the {part} files contain images of different shapes, {shapes}")
        joined[part] = labelled(torch.cat([a[0] for a in arrays]), torch.cat([a[1] for a in arrays]))
    count = 1 + max(int(arrays.labels.max()) for arrays in joined.values())
    return Found(joined, class_names(paths, archives, count), name)


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array of one idx file: two zero bytes, type, rank, big-endian sizes, values.

    Raises:
        UserError: the file is damaged, or does not contain unsigned bytes.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); download it again") from None
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise UserError(f"{path}: is not an idx file of unsigned bytes")
    begin = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:begin], ">u4").tolist())
    values = np.frombuffer(content[begin:], np.uint8)
    if values.size != np.prod(shape, dtype=np.int64):
        raise UserError(
            f"{path}: contains {values.size} values but announces {shape}; it is truncated, download it again"
        )
    return values.reshape(shape)


def idx_files(folder: Path) -> list[Path]:
    """Return the idx files of images in a folder or in its raw/, as torchvision lays them out."""
    for place in (folder, folder / "raw"):
        found = sorted(path for path in place.glob("*idx3*") if IMAGE_FILE.fullmatch(path.name))
        # An unpacked file next to its archive is the same data.
        kept = [path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found]
        if kept:
            return kept
    return []


def read_idx_files(paths: Sequence[Path], name: str) -> Found:
    """Return the parts whose image files are `paths`; labels are next to them.

    Raises:
        UserError: labels are missing or do not fit, or a file's name contains no known part.
    """
    parts: dict[PartName, Listing] = {}
    count = 0
    for path in paths:
        part = part_in(path.name)
        if part is None or part in parts:
            raise UserError(f"{path}: names {'a second' if part else 'no'} part train, val or test (t10k)")
        beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        if not beside.is_file():
            raise UserError(f"{beside}: no such file; the labels belong next to {path.name}")
        images = uint8_images(read_idx(path), str(path))
        labels = int64_labels(read_idx(beside), len(images), str(beside))
        parts[part] = labelled(images, labels)
        count = max(count, int(labels.max()) + 1)
    return Found(parts, class_names(paths, [], count), name)


NPZ = DataForm(
    "npz files",
    lambda path: bool(npz_files(path)),
    lambda place: read_npz(npz_files(place.path), place.name),
    ending=".npz",
)
IDX = DataForm(
    "a folder of idx files",
    lambda path: bool(idx_files(path)),
    lambda place: read_idx_files(idx_files(place.path), place.name),
)
