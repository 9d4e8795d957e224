"""What a generator has made so far, for whoever watches while it trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

Watcher = Callable[[Tensor], None]
"""Is called with pictures float `(N, C, H, W)`; it must not change them."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let somebody see the picture at every validation of trainings inside the context."""
    before = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(before)


def show(pictures: Tensor) -> None:
    """Show pictures to whoever watches."""
    if (watcher := _WATCHER.get()) is not None:
        watcher(pictures)
