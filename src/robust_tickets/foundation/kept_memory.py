"""Memory that a process keeps while it computes, instead of giving it back and asking for it again."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""The names that glibc's `mallopt` has for its settings."""

NEVER = -1
LARGEST, STRIDE = 2**30, 64 * 2**20
"""Bytes: blocks up to the first come from memory that is kept; the second is added to it at a time."""

OWN_CHOICES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES")
"""Environment variables by which users choose for themselves."""

_entered = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory until the outermost such block ends, and give it back there; of no effect without glibc.

    By default glibc takes every block over 32 MiB from the system and returns it at once. Activations of a training
    step or an attack on CPUs are such blocks, and each waits until their pages have been mapped and cleared again. On a
    virtual machine, EfficientNet-Lite0 at 128 x 128 in batches of 32 trains 1.2 to 1.4 times as fast without that wait.
    The setting is the process's and stays; environment variables such as `MALLOC_TRIM_THRESHOLD_` take precedence.
    """
    global _entered
    libc = _glibc()
    if libc is None or any(name in os.environ for name in OWN_CHOICES):
        yield
        return
    for name, value in ((TRIM_THRESHOLD, NEVER), (MMAP_THRESHOLD, LARGEST), (TOP_PAD, STRIDE)):
        libc.mallopt(name, value)
    _entered += 1
    try:
        yield
    finally:
        _entered -= 1
        if not _entered:
            libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the process's C library if it is glibc."""
    if os.name != "posix":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
