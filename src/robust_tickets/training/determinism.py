"""Reproducible kernels for the duration of a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

switches: Any = torch.utils.deterministic
"""A module whose one switch is a property, which type checkers do not see."""


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for reproducible kernels, and leave its random state and flags as they were."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    benchmark, filling = torch.backends.cudnn.benchmark, switches.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        # Writing NaN into every fresh tensor finds kernels that read before they write; it costs 3 % of a step.
        switches.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.backends.cudnn.benchmark = benchmark
            switches.fill_uninitialized_memory = filling
