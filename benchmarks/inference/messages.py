"""What a worker is told, and what it answers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Order:
    """What a worker is started with."""

    engine: str
    path: Path
    images: Path
    """A NumPy file."""
    threads: int
    cores: tuple[int, ...]
    """Cores it is pinned to; empty: none."""


@dataclass(frozen=True)
class Started:
    """What starting cost, and what the engine computes."""

    load_seconds: float
    first_call_seconds: float
    """Tuning and compilation may happen here."""
    memory_bytes: int
    """Most memory held while loading and running, less what was held after imports."""
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Times:
    """Seconds of single calls."""

    hot: list[float]
    cold: list[float]
    """Each after the caches were filled with something else."""
