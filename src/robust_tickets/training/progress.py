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

    def advance(self, examples: int, note: str) -> None:
        """Count one step over this many examples; `note` is the newest metric."""
        ...

    def tell(self, note: str) -> None:
        """Show a note within a step."""
        ...


class _Lines:
    def __init__(self, title: str, steps: int, done: int, unit: str, noun: str) -> None:
        self.title, self.steps, self.done, self.unit, self.noun = title, steps, done, unit, noun
        self.started = self.spoken = time.monotonic()
        self.first, self.examples = done, 0

    def advance(self, examples: int, note: str) -> None:
        self.done += 1
        self.examples += examples
        now = time.monotonic()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            elapsed = now - self.started
            left = elapsed / max(1, self.done - self.first) * (self.steps - self.done)
            rate = self.examples / elapsed
            logger.info(
                "%s: %s %d/%d, %.0f %s/s, %.0f s left%s",
                self.title,
                self.unit,
                self.done,
                self.steps,
                rate,
                self.noun,
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
    def __init__(self, bar, task, noun: str) -> None:
        self.bar, self.task, self.noun = bar, task, noun
        self.started, self.examples = time.monotonic(), 0

    def advance(self, examples: int, note: str) -> None:
        self.examples += examples
        rate = self.examples / max(1e-9, time.monotonic() - self.started)
        self.bar.update(self.task, advance=1, rate=f"{rate:,.0f} {self.noun}/s", note=note)

    def tell(self, note: str) -> None:
        self.bar.update(self.task, note=note)


@contextmanager
def progress(title: str, steps: int, done: int = 0, unit: str = "step", noun: str = "images") -> Iterator[Progress]:
    """Show the progress of some work.

    Args:
        title: what the work is.
        steps: how many there are.
        done: how many of them were done before (a resumed run).
        unit: what steps are called.
        noun: what the examples are that are counted.
    """
    if not sys.stderr.isatty():
        yield _Lines(title, steps, done, unit, noun)
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
        yield _Bar(bar, task, noun)
