"""What is known of image and label files once they were read; each is read once, until it changes."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.image_files import decoded_image, in_threads, mode_channels, read_file
from robust_tickets.data.label_values import decoded_label
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.file_memory import FileMemory, stamp

IMAGES, LABELS = "images", "labels"
"""The kinds of facts that are remembered."""


class ImageFacts(NamedTuple):
    """One image file that can be decoded.

    Attributes:
        digest: hexadecimal SHA-256 of the file's bytes.
        height: of the upright image, pixels.
        width: of the upright image, pixels.
        channels: 1 for grey images, 3 for any in colour.
    """

    digest: str
    height: int
    width: int
    channels: int


class LabelFacts(NamedTuple):
    """One label image that can be decoded.

    Attributes:
        digest: hexadecimal SHA-256 of the file's bytes.
        height: pixels.
        width: pixels.
        values: those that some pixel has, ascending.
    """

    digest: str
    height: int
    width: int
    values: tuple[int, ...]


Facts = TypeVar("Facts", ImageFacts, LabelFacts)
Content = TypeVar("Content")


def image_facts(
    root: Path, files: Sequence[str], use: Callable[[int, Image.Image], None] | None = None
) -> list[ImageFacts | UserError]:
    """Return the facts of every image, or why it cannot be used, in order.

    A file is read once: for its digest, to see whether it can be decoded, and for `use`. One that has not changed since
    some process read it is not read again, unless `use` wants its pixels.

    Args:
        root: the folder that the files' names start from.
        files: paths below root.
        use: takes each file's index and upright image, in several threads.
    """

    def facts(digest: str, image: Image.Image) -> ImageFacts:
        return ImageFacts(digest, image.height, image.width, mode_channels(image))

    return _facts(root, files, IMAGES, decoded_image, facts, _image, use)


def label_facts(
    root: Path, files: Sequence[str], use: Callable[[int, Tensor], None] | None = None
) -> list[LabelFacts | UserError]:
    """Return the facts of every label image, as `image_facts` does; `use` takes its values, uint8 `(H, W)`."""

    def facts(digest: str, label: Tensor) -> LabelFacts:
        present = torch.bincount(label.flatten().long(), minlength=256).nonzero().flatten()
        return LabelFacts(digest, label.shape[0], label.shape[1], tuple(present.tolist()))

    return _facts(root, files, LABELS, decoded_label, facts, _label, use)


def known_images(root: Path, files: Sequence[str]) -> list[ImageFacts | None]:
    """Return the facts of images that have not changed since they were read, without reading any."""
    memory = FileMemory(root, IMAGES)

    found = (_known(memory, root, name) for name in files)
    return [None if facts is None else _image(facts) for facts in found]


def usable(found: Sequence[Facts | UserError]) -> tuple[Facts, ...]:
    """Return the facts of files that all can be used.

    Raises:
        UserError: of the first that cannot.
    """
    facts: list[Facts] = []
    for one in found:
        if isinstance(one, UserError):
            raise one
        facts.append(one)
    return tuple(facts)


def _image(values: Sequence[Any]) -> ImageFacts:
    return ImageFacts(*values)


def _label(values: Sequence[Any]) -> LabelFacts:
    digest, height, width, present = values
    return LabelFacts(digest, height, width, tuple(present))


def _facts(
    root: Path,
    files: Sequence[str],
    kind: str,
    decode: Callable[[bytes, Path], Content],
    describe: Callable[[str, Content], Facts],
    restore: Callable[[Sequence[Any]], Facts],
    use: Callable[[int, Content], None] | None,
) -> list[Facts | UserError]:
    memory = FileMemory(root, kind)
    found: dict[int, Facts | UserError] = {}
    if use is None:
        known = ((index, _known(memory, root, name)) for index, name in enumerate(files))
        found = {index: restore(facts) for index, facts in known if facts is not None}

    def examine(index: int) -> Facts | UserError:
        name = files[index]
        try:
            before = stamp(root / name)
            content = read_file(root / name)
            decoded = decode(content, root / name)
        except UserError as error:
            return error
        except OSError as error:
            return UserError(f"{root / name}: cannot be read ({error.strerror}); replace or remove it")
        if use is not None:
            use(index, decoded)
        if (known := memory.known(name, before)) is not None:
            return restore(known)
        facts = describe(hashlib.sha256(content).hexdigest(), decoded)
        memory.remember(name, before, list(facts))
        return facts

    left = [index for index in range(len(files)) if index not in found]
    found |= zip(left, in_threads(examine, left), strict=True)
    memory.save()
    return [found[index] for index in range(len(files))]


def _known(memory: FileMemory, root: Path, name: str) -> list[Any] | None:
    try:
        return memory.known(name, stamp(os.path.join(root, name)))
    except OSError:
        return None
