"""NumPy archives of images: encoded (`webp`, `offset`, `label`) or plain (`images`, `labels`)."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.image_files import in_threads
from robust_tickets.data.part_names import PartName, distinct, part_in, part_of
from robust_tickets.data.parts import Found
from robust_tickets.data.pixel_values import complaint
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json

IMAGE_KEYS = ("images", "image", "x", "X", "data")
LABEL_KEYS = ("labels", "label", "y", "Y", "targets")
CLASS_KEYS = ("class_names", "classes")

Arrays = tuple[Tensor, Tensor]


def uint8_images(values: np.ndarray, where: str) -> Tensor:
    """Return uint8 images `(N, C, H, W)` from `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`.

    Floats in [0, 1] are rounded to 256 levels.

    Raises:
        UserError: the array is empty, has another shape, or values outside [0, 1].
    """
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[-1] in (1, 3):
        values = values.transpose(0, 3, 1, 2)
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        raise UserError(
            f"{where}: has shape {values.shape}; images are (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3"
        )
    if not len(values):
        raise UserError(f"{where}: holds no images")
    if reason := complaint(values):
        raise UserError(f"{where}: {reason}")
    if values.dtype != np.uint8:
        values = np.rint(values * 255).astype(np.uint8)
    return torch.from_numpy(np.array(values, order="C"))


def int64_labels(values: np.ndarray, count: int, where: str) -> Tensor:
    """Return int64 labels `(N,)`.

    Raises:
        UserError: they are not one whole number, 0 or more, for each image.
    """
    if values.dtype.kind not in "iu" or values.size != count or values.min() < 0:
        raise UserError(
            f"{where}: holds {values.dtype} of shape {values.shape}; give a class number, 0 or more, for "
            f"each of {count} images"
        )
    return torch.from_numpy(values.reshape(-1).astype(np.int64))


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
                raise UserError(f"{where}, image {index}: has shape {image.shape} and not {first.shape} as the first")
            images[index] = image

    in_threads(fill, [range(begin, min(begin + 500, count)) for begin in range(0, count, 500)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def archive_parts(path: Path, archive: Mapping[str, np.ndarray], of_file: PartName) -> dict[PartName, Arrays]:
    """Return images and labels of each part in one archive; `of_file` is that of keys which name none.

    Raises:
        UserError: no known pair of keys is there, or two pairs are of one part.
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
            f"{path}: holds {enumerated(keys, 'nothing')}; expected images and labels, x_train and "
            "y_train, or webp, offset and label"
        )
    partner = dict(pairs)
    parts: dict[PartName, Arrays] = {}
    for part, key in distinct([(key, part_in(key) or of_file) for key in partner], str(path)).items():
        images = uint8_images(archive[key], f"{path}, {key}")
        parts[part] = (images, int64_labels(archive[partner[key]], len(images), f"{path}, {partner[key]}"))
    return parts


def parts_of_files(paths: Sequence[Path]) -> list[PartName]:
    """Return the part that each file's name speaks of; train, where no name speaks of any.

    Raises:
        UserError: some names do and some do not, so that images of the others would be trained on unasked.
    """
    spoken: list[PartName | None] = [part_in(path.stem) for path in paths]
    told = [path for path, part in zip(paths, spoken, strict=True) if part is not None]
    silent = [path for path, part in zip(paths, spoken, strict=True) if part is None]
    if told and silent:
        raise UserError(
            f"{silent[0]}: its name speaks of no part, as {told[0].name} does; put train, val or test into it"
        )
    return [part or "train" for part in spoken]


def class_names(paths: Sequence[Path], archives: Sequence[Mapping[str, np.ndarray]], count: int) -> tuple[str, ...]:
    """Return class names from the archives, from labels.json beside them, or the labels themselves."""
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
        UserError: the file is no NumPy archive, or holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise UserError(f"{path}: is no readable .npz archive of plain arrays ({error})") from None


def read_npz(paths: Sequence[Path], name: str) -> Found:
    """Return the parts of one or several archives; files of one part are joined in order of their names."""
    archives = [open_archive(path) for path in paths]
    pieces: dict[PartName, list[Arrays]] = {}
    for path, archive, of_file in zip(paths, archives, parts_of_files(paths), strict=True):
        for part, arrays in archive_parts(path, archive, of_file).items():
            pieces.setdefault(part, []).append(arrays)
    joined: dict[PartName, ImageArrays] = {}
    for part, arrays in pieces.items():
        shapes = {tuple(images.shape[1:]) for images, _ in arrays}
        if len(shapes) > 1:
            raise UserError(f"{name}: the {part} files hold images of different shapes, {shapes}")
        joined[part] = ImageArrays(torch.cat([a[0] for a in arrays]), torch.cat([a[1] for a in arrays]))
    count = 1 + max(int(arrays.labels.max()) for arrays in joined.values())
    return Found(dict(joined), class_names(paths, archives, count), name)
