"""Global random state for code that offers no other way: a user's random transforms."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from robust_tickets.foundation.seeds import global_stream, stream_seed


@contextmanager
def sample_stream(seed: int, *path: str | int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python from one named stream, and restore them."""
    # NumPy's legacy global generator is meant: it is the one that transforms use.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with global_stream(seed, *path):
            random.seed(stream_seed(seed, *path))
            np.random.seed(stream_seed(seed, *path) % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
