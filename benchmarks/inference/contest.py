"""Engines in processes of their own, timed in turns, so that a busy moment of the machine hits all of them."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.inference.layers import Profile
from benchmarks.inference.messages import Inputs, Order, Started, Times, write_inputs
from benchmarks.inference.team import Member, cores
from benchmarks.scale import Pace
from benchmarks.timing import ratios, spread, typical

REST = 0.02
"""Seconds between turns, in which the threads of the last engine stop spinning."""


@dataclass(frozen=True)
class Contestant:
    """An engine and its file."""

    engine: str
    path: Path


@dataclass
class Measured:
    """What one engine did."""

    started: Started
    hot: list[float] = field(default_factory=list)
    """Median seconds of a call in each round."""
    cold: list[float] = field(default_factory=list)
    steps: Profile = ()
    """The runtime's own profile."""

    def add(self, times: Times) -> None:
        """Keep the medians of one turn."""
        self.hot.append(typical(times.hot))
        self.cold.append(typical(times.cold))

    def facts(self, base: "Measured") -> dict[str, Any]:
        """Return times in milliseconds, memory, and how many times faster than `base` it was."""
        return {
            "hot_ms": milliseconds(self.hot),
            "cold_ms": milliseconds(self.cold),
            "faster": {"hot": round(self.over(base), 3), "cold": round(typical(ratios(base.cold, self.cold)), 3)},
            "memory_mb": round(self.started.memory_bytes / 1e6, 1),
            "load_seconds": round(self.started.load_seconds, 3),
            "first_call_seconds": round(self.started.first_call_seconds, 3),
        }

    @property
    def hot_seconds(self) -> float:
        """Return the median over rounds."""
        return typical(self.hot)

    def over(self, base: "Measured") -> float:
        """Return how many times faster a hot call was than one of `base`: the median over rounds."""
        return typical(ratios(base.hot, self.hot))


def milliseconds(seconds: list[float]) -> dict[str, Any]:
    """Return median and quartiles over rounds, in milliseconds."""
    return spread([1000 * value for value in seconds], digits=3)


def contest(
    contestants: Mapping[str, Contestant], inputs: Inputs, threads: int, pace: Pace
) -> dict[str, Measured | str]:
    """Start one process for each contestant, time them in turns, and stop them.

    Only one runs at a time; the order is reversed every other round.

    Args:
        contestants: by name.
        inputs: what all of them are given: images float32 [N, C, H, W], or arrays by name.
        threads: that each may use, on as many cores.
        pace: how much is timed.

    Returns:
        What each did, or the sentence that says what it lacks.
    """
    with ExitStack() as stack:
        file = write_inputs(inputs, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        members, found = {}, {}
        for name, one in contestants.items():
            order = Order(one.engine, one.path, file, threads, cores(threads))
            member = stack.enter_context(Member(order))
            if isinstance(member.started, str):
                found[name] = member.started
            else:
                members[name], found[name] = member, Measured(member.started)
        for turn in range(pace.rounds):
            for name in list(members)[:: 1 if turn % 2 == 0 else -1]:
                time.sleep(REST)
                found[name].add(members[name].ask("time", pace.hot, pace.cold))
        for name, member in members.items():
            if contestants[name].engine == "runtime":
                found[name].steps = member.ask("profile")
    return found
