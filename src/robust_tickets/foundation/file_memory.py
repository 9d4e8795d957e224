"""What was learnt about files by reading them, remembered until they change.

A file counts as unchanged while its size, time of change and inode are the same, as for `make` and `git`. What
is remembered is in the user's cache folder, one file per data folder. Whatever goes wrong with it means
"not remembered", never a failure: the files can always be read again.
"""

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from robust_tickets.foundation.user_cache import user_cache

SETTLED = 3.0
"""Seconds after its last change from which a file is remembered: a second change inside the clock's grain (2 seconds
on some file systems) would leave no trace in the time."""

VERSION = 1
"""Version of this memory; other versions are not read."""

Stamp = tuple[int, int, int]


class FileMemory:
    """Facts about the files below one folder, by their path in it; facts are lists of plain JSON values."""

    def __init__(self, root: Path, kind: str) -> None:
        """Load what is remembered about the files below `root`; `kind` names the kind of facts."""
        self.root = root
        place = user_cache("files")
        key = hashlib.sha256(f"{VERSION}|{kind}|{root.resolve()}".encode()).hexdigest()
        self.path = None if place is None else place / f"{key}.json"
        self.entries: dict[str, tuple[Stamp, list[Any]]] = _read(self.path) if self.path is not None else {}
        self.changed = False

    def known(self, name: str, stamp: Stamp) -> list[Any] | None:
        """Return the facts of one file, or None if it was never read or has changed since."""
        entry = self.entries.get(name)
        return entry[1] if entry is not None and entry[0] == stamp else None

    def remember(self, name: str, stamp: Stamp, facts: list[Any]) -> None:
        """Remember the facts of a file that had this stamp before it was read."""
        if time.time() - stamp[1] / 1e9 > SETTLED:
            self.entries[name] = (stamp, facts)
            self.changed = True

    def save(self) -> None:
        """Write what is remembered, completely or not at all; of two processes, the later one wins."""
        if self.path is None or not self.changed:
            return
        temporary = None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=self.path.parent)
            content = json.dumps(self.entries).encode()
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(temporary, self.path)
        except OSError:
            if temporary is not None:
                with suppress(OSError):
                    os.unlink(temporary)
        self.changed = False


def stamp(path: Path | str) -> Stamp:
    """Return a file's size, time of change (nanoseconds) and inode."""
    facts = os.stat(path)
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def _read(path: Path) -> dict[str, tuple[Stamp, list[Any]]]:
    """Return what a file remembers: nothing if it is missing, or not as it was written."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return {}
    return {name: (tuple(entry[0]), entry[1]) for name, entry in json.loads(content).items()}
