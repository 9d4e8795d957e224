"""The parent's side of the workers."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.inference.messages import Order, Started

ROOT = Path(__file__).resolve().parents[2]


class Member:
    """A worker's process; it waits, idle, between requests. Use it in a `with` block, which stops it.

    Args:
        order: what it runs.

    Attributes:
        started: what starting cost, or a sentence: what it needs is not on this machine.
    """

    def __init__(self, order: Order) -> None:
        threads = {"OMP_NUM_THREADS": str(order.threads), "MKL_NUM_THREADS": str(order.threads)}
        self.name = f"{order.engine} on {order.path.name}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.inference.worker"],
            cwd=ROOT,
            env={**os.environ, **threads},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.started: Started | str = self.request(order)

    def ask(self, name: str, *arguments: Any) -> Any:
        """Return what a method of the worker returns."""
        return self.request((name, arguments))

    def request(self, content: Any) -> Any:
        """Send one object and return the reply.

        Raises:
            RuntimeError: the process ended instead; its last words are on standard error.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump(content, self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            self.process.wait()
            raise RuntimeError(f"{self.name}: ended with code {self.process.returncode}") from None

    def __enter__(self) -> "Member":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate()


def cores(threads: int) -> tuple[int, ...]:
    """Return the cores that workers with so many threads are pinned to; none where the system cannot pin.

    The last ones: interrupts prefer the first.
    """
    if not hasattr(os, "sched_setaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0))[-threads:])


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
