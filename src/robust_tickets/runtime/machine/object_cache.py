"""Compiled kernels on disk, so that only the first load on a machine compiles.

What is read here will be executed, so an entry counts only if it is a regular file of this user that nobody
else can write, and if its content still has the digest it was written with. Everything that goes wrong with the
folder means "not cached", never a failure: kernels can always be compiled again.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

ENVIRONMENT = "ROBUST_TICKETS_CACHE"
"""Names the folder, in place of the user's cache folder; empty: nothing is kept."""
_MAGIC = b"robust-tickets kernel\n"
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_DIGEST = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Return where compiled kernels are kept; None if nothing is kept."""
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return Path(given).expanduser() / "kernels" if given else None
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # the user has no home
        return None
    return home / "robust-tickets" / "kernels"


def read(key: str) -> bytes | None:
    """Return the object code kept under a key; None if there is none that can be trusted."""
    place = folder()
    if place is None:
        return None
    try:
        descriptor = os.open(place / f"{key}.o", _READ)
        try:
            if not _is_ours(os.fstat(descriptor)):
                return None
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read()
        finally:
            os.close(descriptor)
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST
    code = content[start:]
    return code if content[:start] == _MAGIC + _digest(key, code) else None


def write(key: str, code: bytes) -> None:
    """Keep object code under a key, completely or not at all."""
    place = folder()
    if place is None:
        return
    temporary = None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=place)  # created with mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + _digest(key, code) + code)
        os.replace(temporary, place / f"{key}.o")
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _digest(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + code).digest()


def _is_ours(status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    if not hasattr(os, "getuid"):  # Windows: the user's folders are the user's
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
