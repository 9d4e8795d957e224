"""One engine with one file in a process of its own: `python -m benchmarks.inference.worker`.

Requests come as pickles over standard input, replies go as pickles over what was standard output; what an engine
prints goes to standard error.
"""

import gc
import os
import pickle
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.inference.engines import ENGINES, Absent
from benchmarks.inference.memory import forget_peak, peak_bytes
from benchmarks.inference.messages import Order, Started, Times, read_inputs

WARM_UP = 3
"""Untimed calls before anything is timed."""
EVICTING = 64 * 2**20
"""Bytes touched before a cold call: more than the caches of a core and what it shares hold."""


class Worker:
    """One engine with one file.

    Raises:
        Absent: what the engine needs is not on this machine.
    """

    def __init__(self, order: Order) -> None:
        if order.cores:
            os.sched_setaffinity(0, order.cores)
        inputs = read_inputs(order.inputs)
        opened = ENGINES[order.engine]()
        forget_peak()
        before = peak_bytes()
        start = perf_counter()
        self.run: Any = opened(order.path, order.threads)
        loaded = perf_counter()
        logits = np.array(self.run(inputs))
        first = perf_counter()
        for _ in range(WARM_UP):
            self.run(inputs)
        self.inputs: Any = inputs
        self.started = Started(loaded - start, first - loaded, peak_bytes() - before, logits)
        self.other = np.zeros(EVICTING // 8)
        gc.disable()

    def time(self, hot: int, cold: int) -> Times:
        """Time calls: one untimed, then `hot` with what the last one left in the caches, then `cold` without."""
        self.run(self.inputs)
        return Times([self.timed() for _ in range(hot)], [self.timed(self.evict) for _ in range(cold)])

    def timed(self, before: Callable[[], None] | None = None) -> float:
        """Return the seconds of one call."""
        if before is not None:
            before()
        start = perf_counter()
        self.run(self.inputs)
        return perf_counter() - start

    def evict(self) -> None:
        """Fill the caches with something else."""
        self.other += 1.0

    def profile(self) -> list[tuple[str, str, float]]:
        """Return (layer, kind, seconds) of the runtime's steps for one image or text on one thread."""
        texts = isinstance(self.inputs, dict)
        one = {name: rows[:1] for name, rows in self.inputs.items()} if texts else self.inputs[0]
        return [(step.layer, step.kind, step.seconds) for step in self.run.profile(one)]


def main() -> None:
    """Serve requests until the input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def reply(content: Any) -> None:
        pickle.dump(content, replies)
        replies.flush()

    try:
        worker = Worker(pickle.load(sys.stdin.buffer))
    except Absent as lacking:
        reply(str(lacking))
        return
    reply(worker.started)
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        reply(getattr(worker, name)(*arguments))


if __name__ == "__main__":
    main()
