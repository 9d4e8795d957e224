"""How long exported networks take on this machine, each in its own engine, measured side by side."""

import gc
import platform
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from pydantic import Field

from robust_tickets.foundation.batch import by_name, examples_in
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.tokens import IDS
from robust_tickets.shrinking.export import feed
from robust_tickets.shrinking.forms import form_of

WARM_UP = 5
"""Untimed calls of each network before the first timed one."""


RESOLUTION = 0.03
"""Speed-ups nearer to 1 than this are not claimed: files of one graph were seen 1 to 2 % apart."""


class LatencyRow(Settings):
    """One network's time per call, and how it compares with the baseline in the same rounds."""

    name: str
    file_bytes: int
    median_ms: float = Field(description="Median time of one call, in milliseconds.")
    quartiles_ms: tuple[float, float] = Field(description="First and third quartiles, in milliseconds.")
    speedup: float = Field(description="Median over rounds of the baseline's time over this one's: 2 is twice as fast.")
    speedup_quartiles: tuple[float, float]
    noise: float = Field(description="Interquartile range over median of the time: large on a busy machine.")
    rounds: int | None = Field(default=None, description="Rounds that it was timed in; absent: not recorded.")

    @property
    def differs(self) -> bool:
        """Tell whether the speed-up is at least 3 %, and the middle half of rounds lies clear of 1.

        Of few rounds, most lie on one side by chance. So the median has to be clear of 1 as well, by 1.57 interquartile
        ranges over the root of the rounds: the notch of a box plot (McGill, Tukey and Larsen, 1978). Equal files then
        pass for different ones in 0.4 % of cases in 30 rounds, 4 % in 10, and still 10 % in 3, with normal noise.
        """
        low, high = self.speedup_quartiles
        distance = abs(self.speedup - 1.0)
        notch = 1.57 * (high - low) / sqrt(self.rounds) if self.rounds is not None else 0.0
        return distance >= max(RESOLUTION, notch) and not low <= 1.0 <= high


class Machine(Settings):
    """Where and how times were taken."""

    processor: str
    runtime: str
    threads: int
    batch_size: int
    tokens: int | None = Field(default=None, description="Tokens of each text; absent: images went in.")


def measure_latency(
    files: Mapping[str, Path],
    inputs: Any,
    *,
    baseline: str,
    threads: int = 1,
    rounds: int = 30,
) -> list[LatencyRow]:
    """Time files in one process, taking turns, so that a busy moment affects all of them.

    In each round every network is called twice and its second call is timed: caches are warm, as for a caller
    that runs one network over and over. The order is reversed every other round. Speed-ups are ratios within
    a round.

    Args:
        files: name -> ONNX file, or runtime file.
        inputs: what they take: images float32 [N, C, H, W] in [0, 1], or tokens int64 [N, L] by name.
        baseline: name of the network that the others are compared with.
        threads: threads that each file's engine may use.
        rounds: timed calls of each network, at least 3.

    Raises:
        UserError: a file is missing, or is not a network that takes such inputs.
    """
    arrays = feed(inputs)
    calls = {name: form_of(path).caller(path, threads, arrays) for name, path in files.items()}
    times: dict[str, list[float]] = {name: [] for name in files}
    for name, call in calls.items():
        try:
            for _ in range(WARM_UP):
                call()
        except (InvalidArgument, ValueError) as error:
            told = " and ".join(f"{key} of shape {array.shape}" for key, array in arrays.items())
            raise UserError(f"{files[name]}: does not take {told} ({error})") from None
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name in list(calls)[:: 1 if turn % 2 == 0 else -1]:
                calls[name]()
                start = perf_counter()
                calls[name]()
                times[name].append(1000 * (perf_counter() - start))
    finally:
        if collecting:
            gc.enable()
    return [_row(name, files[name].stat().st_size, own, times[baseline]) for name, own in times.items()]


def this_machine(threads: int, inputs: Any) -> Machine:
    """Describe this machine, the runtime and the inputs that times were taken with."""
    ids = by_name(inputs).get(IDS)
    return Machine(
        processor=processor_name(),
        runtime=f"ONNX Runtime {onnxruntime.__version__}",
        threads=threads,
        batch_size=examples_in(inputs),
        tokens=ids.shape[1] if ids is not None else None,
    )


def _row(name: str, size: int, times: list[float], baseline: list[float]) -> LatencyRow:
    speedups = [dense / own for dense, own in zip(baseline, times, strict=True)]
    low, middle, high = quantiles(times, n=4)
    slowest, _, fastest = quantiles(speedups, n=4)
    return LatencyRow(
        name=name,
        file_bytes=size,
        median_ms=middle,
        quartiles_ms=(low, high),
        speedup=median(speedups),
        speedup_quartiles=(slowest, fastest),
        noise=(high - low) / middle,
        rounds=len(times),
    )


def processor_name() -> str:
    """Return the processor's name: Linux gives it only in /proc/cpuinfo."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
