"""Files that are either whole or absent.

Everything is written to a temporary neighbour, flushed to disk, and renamed into place: a kill or a full
disk leaves the previous file, never half of a new one.
"""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOENT}
TEMPORARY = ".tickets.part"
"""How the names of unfinished files end."""
STARTED = time.time()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals about `path` into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise UserError(f"{path}: no space left to write it; free some space and rerun the same command") from error
        if error.errno in REFUSED:
            raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
        raise


def write_atomic(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let `write(temporary)` produce a file next to `path`, then rename it over `path`.

    Raises:
        UserError: the disk is full or the place cannot be written; `path` is then as it was before.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise


def remove_leftovers(folder: Path) -> None:
    """Delete, in `folder` and below, unfinished files that a killed process left.

    Those younger than this process stay: another process of the same training may be writing them.
    """
    for path in folder.rglob(f".*{TEMPORARY}"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < STARTED:
                path.unlink()


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path | str, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON atomically, keys in the order given, floats in full."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON ({error})") from None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without spaces around them.

    Raises:
        UserError: it is not UTF-8.
    """
    try:
        # Editors on Windows begin such files with a byte-order mark.
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text ({error}); save it as UTF-8") from None


def given_path(text: str) -> Path:
    """Return the path that a user's setting means.

    That is what lies there by this very name; otherwise `~` and `$NAME` of the environment stand for what they mean.
    """
    return Path(text) if os.path.exists(text) else Path(os.path.expandvars(text)).expanduser()


def files_below(path: Path) -> list[str]:
    """Return the paths of all files below a folder, or of a file itself, sorted by their parts.

    Links are followed, each folder once.
    """
    if not path.is_dir():
        return [str(path)] if path.is_file() else []
    return sorted((entry.path for entry in entries_below(path)), key=lambda file: file.split(os.sep))


def entries_below(path: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all files below a folder, in no order; links are followed, each folder once.

    An entry knows without being asked again that it is a file: a folder of 100,000 takes a fraction of a second.
    """
    seen, left = set(), [str(path)]
    while left:
        folder = left.pop()
        with contextlib.suppress(OSError):
            facts = os.stat(folder)
            if (place := (facts.st_dev, facts.st_ino)) in seen:
                continue
            seen.add(place)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        left.append(entry.path)
                    elif entry.is_file():
                        yield entry


def state(path: Path) -> str:
    """Return a digest of names, sizes, inodes and times of change of the files below `path`, which may be absent.

    That is cheap, and not of contents: for what one process keeps in memory.
    """
    if path.is_file():
        found = [(str(path), os.stat(path))]
    else:
        found = [(entry.path, entry.stat()) for entry in entries_below(path)]
    listed = sorted((name, facts.st_size, facts.st_mtime_ns, facts.st_ino) for name, facts in found)
    return hashlib.sha256(repr((path.exists(), listed)).encode()).hexdigest()
