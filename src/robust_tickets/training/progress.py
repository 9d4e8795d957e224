"""Progress of long work: a bar with throughput and time left on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

logger = logging.getLogger("robust_tickets")
SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What the loop reports after every step."""

    def advance(self, images: int, note: str) -> None:
        """Count one step over `images` images; `note` is the newest metric."""
        ...

    def tell(self, note: str) -> None:
        """Show a note within a step."""
        ...


class _Lines:
    def __init__(self, title: str, steps: int, done: int, unit: str) -> None:
        self.title, self.steps, self.done, self.unit = title, steps, done, unit
        self.started = self.spoken = time.monotonic()
        self.first, self.images = done, 0

    def advance(self, images: int, note: str) -> None:
        self.done += 1
        self.images += images
        now = time.monotonic()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            elapsed = now - self.started
            left = elapsed / max(1, self.done - self.first) * (self.steps - self.done)
            rate = self.images / elapsed
            logger.info(
                "%s: %s %d/%d, %.0f images/s, %.0f s left%s",
                self.title,
                self.unit,
                self.done,
                self.steps,
                rate,
                left,
                f", {note}" if note else "",
            )

    def tell(self, note: str) -> None:
        now = time.monotonic()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            elapsed = now - self.started
            logger.info("%s: %s %d/%d, %s, %.0f s", self.title, self.unit, self.done + 1, self.steps, note, elapsed)


class _Bar:
    def __init__(self, bar, task, done: int) -> None:
        self.bar, self.task = bar, task
        self.started, self.images = time.monotonic(), 0

    def advance(self, images: int, note: str) -> None:
        self.images += images
        rate = self.images / max(1e-9, time.monotonic() - self.started)
        self.bar.update(self.task, advance=1, rate=f"{rate:,.0f} images/s", note=note)

    def tell(self, note: str) -> None:
        self.bar.update(self.task, note=note)


@contextmanager
def progress(title: str, steps: int, done: int = 0, unit: str = "step") -> Iterator[Progress]:
    """Show the progress of `steps` steps (or other units) of which `done` were done before (a resumed run)."""
    if not sys.stderr.isatty():
        yield _Lines(title, steps, done, unit)
        return
    from rich import progress as rich_progress
    from rich.console import Console

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=steps, completed=done, rate="", note="")
        yield _Bar(bar, task, done)
