"""Named random streams: every use of chance has its own seed, derived from the recipe's.

A stream is addressed by names and counters, never by how many numbers were drawn before. So nothing
about random state has to be saved: batch 7 of epoch 3 sees the same noise whether or not the run was
interrupted in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from robust_tickets.foundation.lazy import torch


def stream_seed(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the stream at `path`, for example `stream_seed(0, "order", epoch)`."""
    text = "/".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *path: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh torch generator for the stream at `path`."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *path))


@contextmanager
def global_stream(seed: int, *path: str | int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators for code that offers no other way, and restore them afterwards.

    That is the CPU's and, where it is another, that of `device`.
    """
    device = torch.device(device)
    others, kind = ([], None) if device.type == "cpu" else ([device], device.type)
    with torch.random.fork_rng(others, device_type=kind):
        seed_default(device, seed, *path)
        yield


def seed_default(device: torch.device, seed: int, *path: str | int) -> None:
    """Seed the generators that layers without their own generator draw from (dropout): the CPU's and `device`'s.

    `torch.manual_seed` seeds every kind of accelerator, and formats a stack trace for each that is absent, which
    takes longer than a small network's optimiser step.
    """
    number = stream_seed(seed, *path)
    torch.default_generator.manual_seed(number)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(number)
