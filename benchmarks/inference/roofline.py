"""What this machine can do at most: `python -m benchmarks.inference.roofline` measures it on the core it runs on.

Kernels are LLVM IR, compiled as the runtime's are: vectors of 16 floats, as wide as the processor makes them.
"""

import ctypes
import json
import os
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.inference.team import ROOT, cores

LANES = 16
STREAMS = 14
"""Independent sums: enough to hide the latency of an addition on two units, few enough for registers."""
SIZES = tuple(2**power for power in range(14, 28))
"""Bytes read over and over, 16 KiB to 128 MiB."""
LEVELS = {"L1": 2**14, "L2": 2**18, "L3": 2**22, "memory": 2**27}
"""Sets that lie in a level of most machines; what is measured in between decides for other sizes."""
LEAST = 0.02
"""Seconds a single timing lasts at least."""


@dataclass(frozen=True)
class Roofline:
    """Rates of one core."""

    peak: float
    """Floating-point operations a second, multiply-adds in registers: what dense layers could reach."""
    from_cache: float
    """The same where each vector of them is read from the first cache, as with unstructured zeros it must."""
    bandwidth: dict[int, float]
    """Bytes read a second, by bytes that are read over and over."""

    def seconds(self, operations: float, moved: float, resident: float) -> float:
        """Return the least time of a layer: what takes longer, computing or moving its bytes once.

        Args:
            operations: floating-point, 2 for a multiply-add.
            moved: bytes of weights, inputs and outputs.
            resident: bytes the whole network touches in a call: they decide which cache answers.
        """
        sizes = sorted(self.bandwidth)
        rate = self.bandwidth[sizes[min(bisect_left(sizes, resident), len(sizes) - 1)]]
        return max(operations / self.from_cache, moved / rate)

    def facts(self) -> dict[str, Any]:
        """Return the rates as people name them."""
        return {
            "multiply_add_peak_gflops": round(self.peak / 1e9, 1),
            "multiply_add_from_L1_gflops": round(self.from_cache / 1e9, 1),
            "read_gb_per_second": {name: round(self.bandwidth[size] / 1e9, 1) for name, size in LEVELS.items()},
        }


@cache
def roofline() -> Roofline:
    """Measure in a process of its own, on the core that workers are pinned to."""
    command = [sys.executable, "-m", "benchmarks.inference.roofline", *map(str, cores(1))]
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return Roofline(told["peak"], told["from_cache"], {int(size): rate for size, rate in told["bandwidth"].items()})


def kernel(name: str, body: Callable[[int], str]) -> str:
    """Return a function (data, vectors, rounds): `rounds` times over `vectors` vectors, STREAMS at a time.

    Args:
        name: of the function.
        body: the instructions of a stream: from its sum `%s<i>` and its vector's address `%p<i>` to `%n<i>`.
    """
    streams = range(STREAMS)
    lines = [
        f"define void @{name}(ptr %data, i64 %vectors, i64 %rounds) {{",
        "entry:",
        "  br label %round",
        "round:",
        "  %turn = phi i64 [ 0, %entry ], [ %turn.next, %round.end ]",
        *(f"  %r{i} = phi <{LANES} x float> [ zeroinitializer, %entry ], [ %n{i}, %round.end ]" for i in streams),
        "  br label %step",
        "step:",
        "  %at = phi i64 [ 0, %round ], [ %at.next, %step ]",
        *(f"  %s{i} = phi <{LANES} x float> [ %r{i}, %round ], [ %n{i}, %step ]" for i in streams),
    ]
    for i in streams:
        lines += [
            f"  %o{i} = add i64 %at, {i}",
            f"  %p{i} = getelementptr <{LANES} x float>, ptr %data, i64 %o{i}",
            body(i),
        ]
    lines += [
        f"  %at.next = add i64 %at, {STREAMS}",
        "  %more = icmp slt i64 %at.next, %vectors",
        "  br i1 %more, label %step, label %round.end",
        "round.end:",
        "  %turn.next = add i64 %turn, 1",
        "  %again = icmp slt i64 %turn.next, %rounds",
        "  br i1 %again, label %round, label %end",
        "end:",
        *(
            f"  %e{i} = getelementptr <{LANES} x float>, ptr %data, i64 {i}\n"
            f"  store <{LANES} x float> %n{i}, ptr %e{i}, align 64"
            for i in streams
        ),
        "  ret void",
        "}",
    ]
    return "\n".join(lines)


VECTOR = f"<{LANES} x float>"
FMA = f"call {VECTOR} @llvm.fmuladd.v{LANES}f32"


def kernels() -> str:
    """Return the module of the three loops."""

    def splat(value: str) -> str:
        return f"{VECTOR} splat (float {value})"

    def multiply(i: int) -> str:
        return f"  %n{i} = {FMA}({VECTOR} %s{i}, {splat('0.5')}, {splat('0.25')})"

    def loaded(i: int) -> str:
        return f"  %v{i} = load {VECTOR}, ptr %p{i}, align 64\n"

    def multiply_loaded(i: int) -> str:
        return loaded(i) + f"  %n{i} = {FMA}({VECTOR} %v{i}, {splat('0.5')}, {VECTOR} %s{i})"

    def add_loaded(i: int) -> str:
        return loaded(i) + f"  %n{i} = fadd {VECTOR} %s{i}, %v{i}"

    loops = {"multiply": multiply, "multiply_loaded": multiply_loaded, "read": add_loaded}
    declared = f"declare {VECTOR} @llvm.fmuladd.v{LANES}f32({VECTOR}, {VECTOR}, {VECTOR})"
    return "\n".join([*(kernel(name, body) for name, body in loops.items()), declared])


def measured() -> Roofline:
    """Measure on this core, now; each rate is the best of some tries."""
    from robust_tickets.runtime.machine.compiler import compile

    module = compile(kernels())
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

    def rate(name: str, size: int, work: float) -> float:
        """Return work a second, of `work` for a vector."""
        vectors = max(size // (4 * LANES) // STREAMS, 1) * STREAMS
        data = np.zeros((vectors + 1) * LANES, np.float32)
        aligned = data.ctypes.data + -data.ctypes.data % 64
        run, rounds = signature(module.address(name)), 1
        while (seconds := timed(run, aligned, vectors, rounds)) < LEAST:
            rounds *= 2
        return vectors * rounds * work / min(seconds, *(timed(run, aligned, vectors, rounds) for _ in range(3)))

    return Roofline(
        peak=rate("multiply", SIZES[0], 2 * LANES),
        from_cache=rate("multiply_loaded", SIZES[0], 2 * LANES),
        bandwidth={size: rate("read", size, 4 * LANES) for size in SIZES},
    )


def timed(run: Callable[[int, int, int], None], address: int, vectors: int, rounds: int) -> float:
    """Return the seconds of one call."""
    start = perf_counter()
    run(address, vectors, rounds)
    return perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1:]:
        os.sched_setaffinity(0, {int(core) for core in sys.argv[1:]})
    found = measured()
    print(json.dumps({"peak": found.peak, "from_cache": found.from_cache, "bandwidth": found.bandwidth}))
