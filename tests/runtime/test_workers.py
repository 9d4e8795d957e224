import ctypes
import gc
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from robust_tickets.runtime.machine.compiler import assembly, compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.machine.workers import PATIENCE, NativeStep, Workers
from robust_tickets.runtime.machine.workers_ir import workers_ir

ADD = """
; values[i] = previous[i] + 1 for i in first ... last - 1, after burning some time if asked to
define void @add(ptr %arguments, i32 %first, i32 %last) {
entry:
  %slot = alloca i32
  %burn.p = getelementptr i8, ptr %arguments, i64 16
  %values = load ptr, ptr %arguments
  %previous.p = getelementptr i8, ptr %arguments, i64 8
  %previous = load ptr, ptr %previous.p
  %burn = load i32, ptr %burn.p
  %any = icmp slt i32 %first, %last
  br i1 %any, label %loop, label %done
loop:
  %i = phi i32 [%first, %entry], [%j, %after]
  br label %wait
wait:
  %a = phi i32 [0, %loop], [%b, %wait]
  %b = add i32 %a, 1
  store volatile i32 %b, ptr %slot
  %more.wait = icmp slt i32 %b, %burn
  br i1 %more.wait, label %wait, label %after
after:
  %from = getelementptr i32, ptr %previous, i32 %i
  %to = getelementptr i32, ptr %values, i32 %i
  %v = load i32, ptr %from
  %w = add i32 %v, 1
  store i32 %w, ptr %to
  %j = add i32 %i, 1
  %more = icmp slt i32 %j, %last
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

MEET = """
; flags[task] = 1; then flags[task] = 2 once the other's is not 0, or never
define void @meet(ptr %flags, i32 %first, i32 %last) {
entry:
  %other = sub i32 1, %first
  %mine.p = getelementptr i32, ptr %flags, i32 %first
  %other.p = getelementptr i32, ptr %flags, i32 %other
  store atomic i32 1, ptr %mine.p seq_cst, align 4
  br label %wait
wait:
  %i = phi i64 [0, %entry], [%j, %wait]
  %there = load atomic i32, ptr %other.p seq_cst, align 4
  %met = icmp ne i32 %there, 0
  %j = add i64 %i, 1
  %enough = icmp ugt i64 %j, 4000000000
  %stop = or i1 %met, %enough
  br i1 %stop, label %end, label %wait
end:
  br i1 %met, label %mark, label %done
mark:
  store atomic i32 2, ptr %mine.p seq_cst, align 4
  br label %done
done:
  ret void
}
"""


class Arguments(ctypes.Structure):
    _fields_ = (("values", ctypes.c_void_p), ("previous", ctypes.c_void_p), ("burn", ctypes.c_int32))


class Chain:
    """Steps that each read what the one before wrote, in reverse order of tasks where tasks are equally many."""

    def __init__(self, tasks: list[int], burn: int = 0, grain: int = 0) -> None:
        self.module = compile(ADD)
        self.values = np.zeros((len(tasks) + 1, max(tasks)), np.int32)
        self.steps = (NativeStep * len(tasks))()
        self.arguments = (Arguments * len(tasks))()
        for index, count in enumerate(tasks):
            rows = self.values[index + 1], self.values[index]
            self.arguments[index] = Arguments(rows[0].ctypes.data, rows[1].ctypes.data, burn)
            address = ctypes.addressof(self.arguments[index])
            self.steps[index] = NativeStep(self.module.address("add"), address, count, grain)

    def run(self, workers: Workers) -> None:
        workers.run(ctypes.addressof(self.steps), len(self.steps))

    def expected(self) -> NDArray[np.int32]:
        expected = np.zeros_like(self.values)
        for index, step in enumerate(self.steps):
            expected[index + 1, : step.tasks] = expected[index, : step.tasks] + 1
        return expected


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(2)
    yield pool
    pool.close()


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("grain", [0, 5])
def test_every_task_is_done_once_and_steps_are_in_order(threads: int, grain: int) -> None:
    workers = Workers(threads)
    draw = random.Random(threads)
    for _ in range(300):
        chain = Chain([draw.choice([0, 1, 2, 3, 7, 16, 100]) for _ in range(draw.randrange(1, 40))], grain=grain)
        chain.run(workers)
        np.testing.assert_array_equal(chain.values, chain.expected())
        if draw.random() < 0.1:
            time.sleep(draw.random() * 4 * PATIENCE)  # the others fall asleep, or are about to
    workers.close()


def test_thousands_of_runs_of_tiny_steps_with_pauses_of_every_length(workers: Workers) -> None:
    chain = Chain([2, 17, 1, 64, 3] * 20)
    draw = random.Random(0)
    expected = chain.expected()
    for _ in range(3000):
        chain.values[1:] = 0
        chain.run(workers)
        assert (chain.values == expected).all()
        end = time.perf_counter() + draw.random() * 3 * PATIENCE
        while time.perf_counter() < end:
            pass


def test_tasks_of_a_step_are_done_at_the_same_time(workers: Workers) -> None:
    met = np.zeros(2, np.int32)
    for _ in range(200):
        met[:] = 0
        step = NativeStep(compile(MEET).address("meet"), met.ctypes.data, 2, 0)
        workers.run(ctypes.addressof(step), 1)
        assert met.tolist() == [2, 2]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not place threads")
def test_the_others_keep_away_from_the_callers_processor(workers: Workers) -> None:
    """Two threads that wait for each other on one processor, with another one idle, are slower than one."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("this machine has one processor")
    chain = Chain([8] * 3)
    try:
        for processor in sorted(before)[:2]:
            os.sched_setaffinity(0, {processor})  # moved there
            os.sched_setaffinity(0, before)
            chain.values[1:] = 0
            chain.run(workers)
            (helper,) = (one for one in threading.enumerate() if one.name == "tickets-worker-1")
            assert helper.native_id is not None
            allowed = os.sched_getaffinity(helper.native_id)
            assert len(allowed) == len(before) - 1
        os.sched_setaffinity(0, {min(before)})
        chain.values[1:] = 0
        chain.run(workers)
        assert (chain.values == chain.expected()).all(), "one processor is enough, too"
    finally:
        os.sched_setaffinity(0, before)


def test_nothing_is_burnt_while_nothing_runs(workers: Workers) -> None:
    Chain([64] * 50, burn=100).run(workers)
    time.sleep(20 * PATIENCE)
    start = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - start < 0.02


def test_two_threads_are_no_disaster_where_all_processors_are_busy(workers: Workers) -> None:
    chain, alone = Chain([32] * 100, burn=2000), Workers(1)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(0.1)
        seconds: dict[Workers, list[float]] = {alone: [], workers: []}
        for _ in range(40):
            for pool, times in seconds.items():
                start = time.perf_counter()
                chain.run(pool)
                times.append(time.perf_counter() - start)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    # Barriers that only spin take a time slice a step, some hundred times as long.
    assert np.mean(seconds[workers]) < 5 * np.mean(seconds[alone])


def test_a_thread_that_the_system_does_not_give_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    workers, chain = Workers(4), Chain([64, 3] * 9)
    chain.run(workers)
    np.testing.assert_array_equal(chain.values, chain.expected())
    workers.close()


def test_python_threads_take_turns(workers: Workers) -> None:
    chains = [Chain([40, 3, 8] * 10) for _ in range(4)]
    wrong = []

    def repeat(chain: Chain) -> None:
        for _ in range(200):
            chain.values[1:] = 0
            chain.run(workers)
            if (chain.values != chain.expected()).any():
                wrong.append(chain)

    threads = [threading.Thread(target=repeat, args=(chain,)) for chain in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tickets-worker")]


def test_threads_start_with_the_first_program_and_end_when_closed() -> None:
    before = len(names())
    workers = Workers(3)
    assert (workers.threads, len(names()) - before) == (3, 0)
    chain = Chain([30] * 3)
    chain.run(workers)
    assert len(names()) - before == 2
    workers.close()
    workers.close()
    assert len(names()) == before
    with pytest.raises(ValueError, match="closed"):
        chain.run(workers)


def test_threads_end_with_their_workers() -> None:
    before = len(names())
    workers = Workers(2)
    Chain([30]).run(workers)
    assert len(names()) == before + 1
    del workers
    gc.collect()
    assert len(names()) == before


def test_other_processors_wait_in_their_own_way() -> None:
    arm = Target("aarch64-unknown-linux-gnu", "generic")
    assert "isb" in assembly(workers_ir(arm.triple), arm)


def test_one_thread_is_the_calling_one() -> None:
    before = threading.active_count()
    workers = Workers(1)
    Chain([30]).run(workers)
    assert threading.active_count() == before


def test_at_least_one_thread_is_needed() -> None:
    with pytest.raises(ValueError, match="threads: 0"):
        Workers(0)


def test_a_forked_process_has_its_own_threads(workers: Workers) -> None:
    chain = Chain([64] * 50, burn=100)
    chain.run(workers)
    child = os.fork()
    if child == 0:
        chain.values[1:] = 0
        chain.run(workers)
        right = (chain.values == chain.expected()).all() and len(names()) == 1
        workers.close()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    chain.run(workers)


@pytest.mark.parametrize(
    "end", ["", "; raise SystemExit(0)", "; import os, signal; os.kill(os.getpid(), signal.SIGINT)"]
)
def test_the_interpreter_ends_with_open_workers(end: str) -> None:
    code = f"from tests.runtime.test_workers import *; w = Workers(2); c = Chain([64] * 9); c.run(w); print('run'){end}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (ran.stdout, "Segmentation" in ran.stderr, ran.returncode in {0, 130, -2}) == ("run\n", False, True)
