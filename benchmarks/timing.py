"""Contestants timed in turns, so that a busy moment of the machine hits all of them."""

import gc
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from time import perf_counter
from typing import Any

Contestant = Callable[[], Callable[[], object]]
"""Prepares one run, untimed, and returns what is to be timed."""


def repeated(action: Callable[[], object]) -> Contestant:
    """Return a contestant that needs no preparation."""
    return lambda: action


def in_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contestant in each round, after one untimed round.

    The order is reversed every other round; the garbage collector waits until the end.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for prepare in contestants.values():
        prepare()()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name in list(contestants)[:: 1 if turn % 2 == 0 else -1]:
                action = contestants[name]()
                start = perf_counter()
                action()
                seconds[name].append(perf_counter() - start)
    finally:
        if collecting:
            gc.enable()
    return seconds


def ratios(base: Sequence[float], own: Sequence[float]) -> list[float]:
    """Return how many times faster `own` was than `base` in each round."""
    return [slow / fast for slow, fast in zip(base, own, strict=True)]


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Return median, quartiles and count of values over rounds."""
    low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else 3 * [*values]
    return {
        "median": round(middle, digits),
        "quartiles": [round(low, digits), round(high, digits)],
        "rounds": len(values),
    }


def typical(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)
