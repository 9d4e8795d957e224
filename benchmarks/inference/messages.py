"""What a worker is told, and what it answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.float32] | dict[str, NDArray[Any]]
"""What an engine is given: images [N, C, H, W] in [0, 1], or arrays by name."""


def write_inputs(inputs: Inputs, folder: Path) -> Path:
    """Write inputs to a file in a folder and return it."""
    if isinstance(inputs, dict):
        np.savez(file := folder / "inputs.npz", **inputs)
    else:
        np.save(file := folder / "inputs.npy", inputs)
    return file


def read_inputs(file: Path) -> Inputs:
    """Return what `write_inputs` wrote."""
    found = np.load(file)
    return found if isinstance(found, np.ndarray) else dict(found)


@dataclass(frozen=True)
class Order:
    """What a worker is started with."""

    engine: str
    path: Path
    inputs: Path
    """A NumPy file, see `write_inputs`."""
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
