"""Threads that execute the steps of a program together.

A step is one function over a number of tasks that may be done in any order and at the same time; the next step
begins when all tasks are done. One call executes a whole program without Python in between. Threads that have
nothing to do wait for about 50 microseconds, ready to start within a fraction of one, and then sleep.
"""

import contextlib
import ctypes
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable

from robust_tickets.runtime.machine.compiler import Module, compile
from robust_tickets.runtime.machine.parking_ir import LINE
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.machine.workers_ir import PAUSES, THREADS, pool_size, workers_ir

PATIENCE = 50e-6
"""Seconds that a thread waits before it sleeps; waking it takes about as long."""


class NativeStep(ctypes.Structure):
    """One function and the tasks it is called for; a program is an array of these."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
        ("tasks", ctypes.c_int32),
        ("grain", ctypes.c_int32),
    )
    function: int
    """Address of `void step(void *arguments, int32_t first, int32_t last)`: does the tasks first, …, last - 1."""
    arguments: int
    """Address handed to the function."""
    tasks: int
    """How many tasks there are, at least 0; with one the caller does it, and no other thread hears of it."""
    grain: int
    """The fewest tasks worth a call; a step with no more is the caller's alone. 0 is as good as 1."""


class Workers:
    """A number of threads, the calling one among them.

    The others start at the first program that is run. A forked process starts its own.
    """

    def __init__(self, threads: int = 1) -> None:
        """Say how many threads a program may use.

        Raises:
            ValueError: not at least one.
        """
        if threads < 1:
            raise ValueError(f"threads: {threads}; at least 1 is needed")
        self._asked = threads if hasattr(os, "fork") else 1  # the sleeping is POSIX
        self._reset()
        _all.add(self)

    @property
    def threads(self) -> int:
        """Return how many threads a program uses."""
        return self._asked

    def run(self, program: int, steps: int) -> None:
        """Execute steps in order; programs of several Python threads run one after the other.

        Args:
            program: address of an array of `NativeStep`, which must live until this returns.
            steps: how many there are.

        Raises:
            ValueError: the workers are closed.
        """
        with self.lock:
            if self._closed:
                raise ValueError("it is closed: its threads have ended, so it can no longer be called")
            if self._pool is None:
                self._pool = _Pool(self._asked)
                self._end = weakref.finalize(self, self._pool.end)
            self._pool.run(program, steps)

    def close(self) -> None:
        """End the other threads, after what is being run; again is fine."""
        with self.lock:
            self._closed = True
            if self._end is not None:
                self._end()

    def _reset(self) -> None:
        self.lock = threading.RLock()
        """Held while a program runs, and by anyone who hands over what it reads and fetches what it wrote."""
        self._closed = False
        self._pool: _Pool | None = None
        self._end: weakref.finalize | None = None

    def _forget(self) -> None:
        """Start afresh in a forked process, where the other threads are not."""
        closed = self._closed
        if self._end is not None:
            self._end.detach()
        self._reset()
        self._closed = closed


class _Pool:
    """The native side: memory that the threads share, and the threads."""

    def __init__(self, threads: int) -> None:
        self._module = _module()
        self._memory = ctypes.create_string_buffer(pool_size(threads) + LINE)
        self._address = -(-ctypes.addressof(self._memory) // LINE) * LINE
        ctypes.c_int32.from_address(self._address + THREADS).value = threads
        ctypes.c_int32.from_address(self._address + PAUSES).value = _pauses() if threads > 1 else 0
        _function("initialise", ctypes.c_void_p)(self._address)
        self._run = _function("run", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
        self._helpers: list[threading.Thread] = []
        for number in range(1, threads):
            name, arguments = f"tickets-worker-{number}", (self._address, number, self._memory)
            helper = threading.Thread(target=_help, args=arguments, name=name, daemon=True)
            try:
                helper.start()
            except RuntimeError:  # the system has no thread left to give; the others take its tasks
                break
            self._helpers.append(helper)
        self._avoided = -1
        """The processor that the others keep away from."""

    def run(self, program: int, steps: int) -> None:
        """Execute steps in order."""
        if self._helpers and (processor := _processor()) != self._avoided:
            self._make_way(processor)
        self._run(self._address, program, steps)

    def _make_way(self, processor: int) -> None:
        """Keep the other threads from the caller's processor.

        Woken there they would find it busy, and the system takes longer to move them than all steps take together.
        """
        others = os.sched_getaffinity(0) - {processor}
        if len(others) >= len(self._helpers):
            # A thread that has ended needs no place.
            with contextlib.suppress(OSError):
                for helper in self._helpers:
                    assert helper.native_id is not None
                    os.sched_setaffinity(helper.native_id, others)
        self._avoided = processor

    def end(self) -> None:
        """End the helping threads."""
        _function("stop", ctypes.c_void_p)(self._address)
        for helper in self._helpers:
            helper.join()


def _help(address: int, number: int, memory: object) -> None:
    """Take part until the pool stops; `memory` is what the address points into."""
    _function("help", ctypes.c_void_p, ctypes.c_int32)(address, number)


_all: "weakref.WeakSet[Workers]" = weakref.WeakSet()


def _start_afresh() -> None:
    for workers in list(_all):
        workers._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)


@functools.cache
def _asks_for_processor() -> Callable[[], int] | None:
    """Return what tells on which processor the caller runs; None if threads cannot be placed."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


def _processor() -> int:
    """Return the processor that the caller runs on; -1 if the system does not tell."""
    ask = _asks_for_processor()
    return ask() if ask is not None else -1


@functools.cache
def _module() -> Module:
    target = Target.host()
    return compile(workers_ir(target.triple), target)


def _function(name: str, *arguments: type) -> "ctypes._FuncPointer":
    return ctypes.CFUNCTYPE(None, *arguments)(_module().address(name))


@functools.cache
def _pauses() -> int:
    """Return how many pauses of the processor take `PATIENCE`."""
    rest = _function("rest", ctypes.c_int32)
    count = 1000

    def seconds() -> float:
        start = time.perf_counter()
        rest(count)
        return time.perf_counter() - start

    return max(1, int(PATIENCE * count / min(seconds() for _ in range(5))))
