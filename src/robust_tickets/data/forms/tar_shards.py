"""WebDataset's tar shards: members that share a stem are one sample, an image and its label."""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.array_files import class_names
from robust_tickets.data.forms.form import DataForm, GivenPlace
from robust_tickets.data.forms.labels import numbered
from robust_tickets.data.forms.shards import shards_at, spoken_parts
from robust_tickets.data.images.encoded import Files
from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.file_memory import Stamp, stamp

LABEL_KEYS = ("cls", "label", "labels", "class")
"""Where the `.json` of a sample keeps its label."""


class TarMember(NamedTuple):
    """One file in a tar."""

    shard: Path
    name: str
    offset: int
    """Of its first byte in the tar."""
    size: int

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"{self.shard}, {self.name}"

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            UserError: the tar cannot be read any more.
        """
        try:
            with open(self.shard, "rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise UserError(f"{self.shard}: cannot be read ({error.strerror}); put it back") from None


class TarFiles(Files):
    """Files in tars, each read where it lies.

    Args:
        root: the folder of the tars.
        members: the files.
    """

    def __init__(self, root: Path, members: Sequence[TarMember]) -> None:
        self.root, self.members = root, members
        self.names = [f"{member.shard.relative_to(root).as_posix()}/{member.name}" for member in members]
        self._stamps = {shard: stamp(shard) for shard in {member.shard for member in members}}

    def where(self, index: int) -> str:
        """Return the tar and the file in it."""
        return self.members[index].where

    def content(self, index: int) -> bytes:
        """Return the bytes of a file."""
        return self.members[index].read()

    def stamp(self, index: int) -> Stamp | None:
        """Return the stamp that the tar had when it was listed."""
        return self._stamps[self.members[index].shard]


def tar_files(path: Path) -> list[Path]:
    """Return the tars that a path means."""
    return shards_at(path, ".tar")


def read_tars(place: GivenPlace) -> Found:
    """Return the samples of tars, whose names or folders say which part they are.

    Raises:
        UserError: a tar is damaged, or a sample has no image, no label, or two.
    """
    shards, root = tar_files(place.path), place.root
    images: dict[PartName, list[TarMember]] = {}
    labels: dict[PartName, list[Any]] = {}
    for part, shard in zip(spoken_parts(shards, root), shards, strict=True):
        for image, said in samples(shard, place.columns.label):
            images.setdefault(part, []).append(image)
            labels.setdefault(part, []).append(said)
    if not images:
        raise UserError(
            f"{place.path}: contains no samples; a sample is an image and a .cls or .json with the same stem"
        )
    numbers, classes = numbered(labels, lambda part, index: images[part][index].where)
    if classes == tuple(map(str, range(len(classes)))):
        classes = class_names([root / shards[0].name], [], len(classes))
    parts: dict[PartName, Listing] = {
        part: Listing.whole(StoredImages(TarFiles(root, members)), ClassNumbers(torch.tensor(numbers[part])))
        for part, members in images.items()
    }
    return Found(parts, classes, place.name)


def samples(shard: Path, label: str | None) -> list[tuple[TarMember, Any]]:
    """Return the image and the label of every sample of a tar, in the order in which they lie there.

    Raises:
        UserError: the tar is damaged, or a sample has no image, no label, or two.
    """
    grouped: dict[str, dict[str, TarMember]] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                folder, _, last = info.name.rpartition("/")
                stem, _, ending = last.partition(".")
                if info.isfile() and stem:
                    member = TarMember(shard, info.name, info.offset_data, info.size)
                    grouped.setdefault(f"{folder}/{stem}", {})[ending.lower()] = member
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(
            f"{shard}: is not a readable tar ({error}); download it again, and unpack it if it is compressed"
        ) from None
    return [sample(shard, stem.removeprefix("/"), members, label) for stem, members in grouped.items()]


def sample(shard: Path, stem: str, members: dict[str, TarMember], label: str | None) -> tuple[TarMember, Any]:
    """Return the image and the label of one sample, whose members are given by their endings.

    Raises:
        UserError: it has no image, no label, or two images.
    """
    images = [member for ending, member in members.items() if f".{ending}" in SUFFIXES]
    if len(images) != 1:
        raise UserError(
            f"{shard}, {stem}: has {len(images) or 'no'} images among its members ({', '.join(sorted(members))}); a "
            "sample has one"
        )
    if "cls" in members and label is None:
        return images[0], members["cls"].read().decode("utf-8", "replace").strip()
    if "json" not in members:
        wanted = ".cls or .json with the same stem" if label is None else f".json with {label!r} (data.label)"
        raise UserError(f"{shard}, {stem}: has no label; add a {wanted}")
    return images[0], label_in(members["json"], label)


def label_in(member: TarMember, label: str | None) -> Any:
    """Return the label that a `.json` member holds: all of it, or under a key.

    Raises:
        UserError: it is no JSON, or has no such key.
    """
    try:
        held = json.loads(member.read())
    except ValueError as error:
        raise UserError(f"{member.where}: is not valid JSON ({error})") from None
    if not isinstance(held, dict):
        return held
    keys = LABEL_KEYS if label is None else (label,)
    if (key := next((key for key in keys if key in held), None)) is None:
        raise UserError(f"{member.where}: has the keys {enumerated(held)}; name the label key with data.label")
    return held[key]


TARS = DataForm(
    "WebDataset tars", lambda path: bool(tar_files(path)), read_tars, ending=".tar", columns=frozenset({"label"})
)
