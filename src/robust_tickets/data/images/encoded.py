"""Images and label images as they are stored: bytes that are read once, told apart, and decoded once if kept."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.images.image_files import in_threads, read_file
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.file_memory import FileMemory, Stamp, stamp


class Files(ABC):
    """Where encoded images lie, by index: a folder, or what else holds the bytes of files."""

    root: Path
    """What their names start from."""

    names: Sequence[str]
    """Of each, with `/`: what the digest knows it by."""

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def where(self, index: int) -> str:
        """Return what messages call one of them."""

    @abstractmethod
    def content(self, index: int) -> bytes:
        """Return the bytes of one.

        Raises:
            UserError: they cannot be read.
        """

    @abstractmethod
    def stamp(self, index: int) -> Stamp | None:
        """Return what changes with a content (see `foundation.file_memory`); None if nothing tells."""


class FolderFiles(Files):
    """Files below a folder."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self.names = root, names
        self._start = f"{root}{os.sep}"

    def where(self, index: int) -> str:
        """Return the path."""
        return self._start + self.names[index]

    def content(self, index: int) -> bytes:
        """Return the bytes of a file."""
        return read_file(self.where(index))

    def stamp(self, index: int) -> Stamp | None:
        """Return the file's stamp; None if there is no such file any more."""
        try:
            return stamp(self.where(index))
        except OSError:
            return None


class Facts(Protocol):
    """What is known of one file; a sequence of plain values, so that it can be remembered."""

    def __iter__(self) -> Any: ...

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of its bytes."""
        ...

    @property
    def height(self) -> int:
        """Of the upright image, pixels."""
        ...

    @property
    def width(self) -> int:
        """Of the upright image, pixels."""
        ...

    @property
    def decoded(self) -> bool:
        """Whether all of it was decoded, and not the header alone."""
        ...


Content = TypeVar("Content")
Known = TypeVar("Known", bound=Facts)


class Codec(ABC, Generic[Content, Known]):
    """How one kind of files is decoded."""

    memory: ClassVar[str]
    """The name under which facts of such files are remembered."""

    @abstractmethod
    def decode(self, content: bytes, where: str) -> Content:
        """Return what the bytes of a file hold.

        Raises:
            UserError: they are damaged, or hold something else.
        """

    @abstractmethod
    def described(self, digest: str, content: Content) -> Known:
        """Return the facts of a decoded file."""

    @abstractmethod
    def glanced(self, digest: str, content: bytes, where: str) -> Known:
        """Return the facts that the header of a file tells.

        Raises:
            UserError: the header is damaged, or announces something else.
        """

    @abstractmethod
    def restored(self, values: Sequence[Any]) -> Known:
        """Return the facts that were remembered as plain values."""


class Encoded(Generic[Content, Known]):
    """Files of one kind, what is known of them, and what is kept of them; shared by all choices of them.

    Args:
        files: where they lie.
        codec: how they are decoded.
    """

    def __init__(self, files: Files, codec: Codec[Content, Known]) -> None:
        self.files, self.codec = files, codec
        self._known: dict[int, Known] = {}
        self._kept: WeakValueDictionary[ImageFit, Kept[Content]] = WeakValueDictionary()
        self._last: Kept[Content] | None = None

    def __getstate__(self) -> tuple[Files, Codec[Content, Known]]:
        """Return what another process needs; it learns and decodes for itself."""
        return self.files, self.codec

    def __setstate__(self, state: tuple[Files, Codec[Content, Known]]) -> None:
        Encoded.__init__(self, *state)

    @cached_property
    def memory(self) -> FileMemory:
        """What earlier processes found out."""
        return FileMemory(self.files.root, self.codec.memory)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Let later processes know what is found out meanwhile, whatever comes of it."""
        try:
            yield
        finally:
            self.memory.save()

    def decode(self, index: int) -> Content:
        """Return what one file holds.

        Raises:
            UserError: it is unreadable.
        """
        try:
            return self.codec.decode(self.files.content(index), self.files.where(index))
        except UserError as error:
            raise skippable(error) from None

    def facts(self, indices: Tensor, *, decoded: bool = False) -> list[Known | UserError]:
        """Return the facts of files, or why they cannot be used, in order.

        A file is read once; one that has not changed since some process read it is not read again.

        Args:
            indices: which.
            decoded: whether they have to be decoded; otherwise their headers do.
        """
        chosen, faults = indices.tolist(), dict[int, UserError]()

        def learn(index: int) -> None:
            try:
                self._learn(index, decoded)
            except UserError as error:
                faults[index] = error

        in_threads(learn, [index for index in chosen if not self._is_known(index, decoded)])
        return [faults[index] if index in faults else self._known[index] for index in chosen]

    def usable(self, indices: Tensor, *, decoded: bool = False) -> list[Known]:
        """Return the facts of files that all can be used.

        Raises:
            UserError: of the first that cannot.
        """
        usable: list[Known] = []
        for one in self.facts(indices, decoded=decoded):
            if isinstance(one, UserError):
                raise skippable(one)
            usable.append(one)
        return usable

    def kept(self, fit: ImageFit, shape: tuple[int, ...], fitted: Callable[[Content], Tensor]) -> "Kept[Content]":
        """Return the place in memory for the files at one geometry: the same one for all who ask.

        Args:
            fit: the geometry.
            shape: of one fitted content.
            fitted: fits a content, uint8 of that shape.
        """
        kept = self._kept.get(fit)
        if kept is None:
            kept = self._kept[fit] = Kept(len(self.files), shape, self.decode, fitted)
        # One stays though nobody asks for it just now: the next seed will.
        self._last = kept
        return kept

    def fill(self, kept: "Kept[Content]", indices: Tensor) -> None:
        """Decode files into memory and learn their facts, reading each once.

        Raises:
            UserError: of the first that is unreadable.
        """

        def learn(index: int) -> Content:
            try:
                return self._learn(index, True, reads=True)
            except UserError as error:
                raise skippable(error) from None

        kept.fill(indices, learn)
        self.usable(indices, decoded=True)

    def _is_known(self, index: int, decoded: bool) -> bool:
        facts = self._known.get(index)
        return facts is not None and (facts.decoded or not decoded)

    def _learn(self, index: int, decoded: bool, *, reads: bool = False) -> Any:
        """Learn the facts of a file from memory or, where they are not there or it `reads`, from the file itself.

        Return what it holds, where it was decoded.
        """
        name, before = self.files.names[index], self.files.stamp(index)
        known = None if before is None else self.memory.known(name, before)
        if known is not None and index not in self._known:
            self._known[index] = self.codec.restored(known)
        if self._is_known(index, decoded) and not reads:
            return None
        where, content = self.files.where(index), self.files.content(index)
        digest = self._known[index].digest if index in self._known else hashlib.sha256(content).hexdigest()
        held = self.codec.decode(content, where) if decoded else None
        facts = self.codec.described(digest, held) if held is not None else self.codec.glanced(digest, content, where)
        if before is not None and list(facts) != known:
            self.memory.remember(name, before, list(facts))
        self._known[index] = facts
        return held


class Kept(Generic[Content]):
    """Fitted contents, uint8, decoded when they are first asked for and then kept.

    Args:
        total: how many there are.
        shape: of each.
        decode: decodes one.
        fitted: fits what was decoded.
    """

    def __init__(
        self,
        total: int,
        shape: tuple[int, ...],
        decode: Callable[[int], Content],
        fitted: Callable[[Content], Tensor],
    ) -> None:
        self.shape, self.decode, self.fitted = shape, decode, fitted
        self.blocks: list[Tensor] = []
        self.block, self.row = torch.full((total,), -1), torch.zeros(total, dtype=torch.long)
        self.there = torch.zeros(total, dtype=torch.bool)

    def reserve(self, indices: Tensor) -> None:
        """Make room for those of `indices`, unique, that have none yet."""
        new = indices[self.block[indices] < 0]
        if len(new):
            self.block[new], self.row[new] = len(self.blocks), torch.arange(len(new))
            # Memory that nothing is written to yet takes none.
            self.blocks.append(torch.empty(len(new), *self.shape, dtype=torch.uint8))

    def fill(self, indices: Tensor, decode: Callable[[int], Content] | None = None) -> None:
        """Decode those of `indices` that are not there yet, in threads.

        Raises:
            UserError: one is unreadable.
        """
        self.reserve(indices)
        decode = decode or self.decode

        def put(index: int) -> None:
            self.blocks[int(self.block[index])][int(self.row[index])] = self.fitted(decode(index))

        missing = indices[~self.there[indices]]
        if len(missing):
            in_threads(put, missing.tolist())
            self.there[missing] = True

    def rows(self, indices: Tensor) -> Tensor:
        """Return the fitted contents at `indices`, uint8 `(n, *shape)`.

        Raises:
            UserError: one that is not there yet is unreadable.
        """
        self.fill(indices)
        blocks, rows = self.block[indices], self.row[indices]
        if len(indices) and bool((blocks == blocks[0]).all()):
            return self.blocks[int(blocks[0])][rows]
        found = torch.empty(len(indices), *self.shape, dtype=torch.uint8)
        for number in blocks.unique().tolist():
            found[blocks == number] = self.blocks[number][rows[blocks == number]]
        return found


def skippable(error: UserError) -> UserError:
    """Return a complaint about one file of a set, with the way out that a single file does not have."""
    return UserError(f"{error}, or set `on_unreadable: skip`")
