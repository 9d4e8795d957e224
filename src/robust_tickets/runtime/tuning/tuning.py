"""Which tiling of each convolution is fastest in its place: measured once, kept next to the model."""

import ctypes
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.commands import Command, Convolve
from robust_tickets.runtime.steps.convolve import Tiling, convolution_steps
from robust_tickets.runtime.steps.step import KernelStep
from robust_tickets.runtime.steps.winograd import possible_side
from robust_tickets.runtime.tuning.tiling import is_possible, likely, slices

VERSION = 2
"""Raised when tilings come to mean something else, or others become possible."""

_TILES = 8
"""Tiles measured for each kind of convolution."""
_FINALISTS = 2
"""Of which this many are measured with all slices."""
_CALLS = 4

Tilings = dict[str, Tiling]
"""Name of a convolution -> how it is cut up."""

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)


def estimated(commands: Sequence[Command], target: Target) -> Tilings:
    """Return the tilings that are likely to be fast, without measuring."""
    return {one.name: likely(one, target, 1)[0] for one in commands if isinstance(one, Convolve)}


def measured(commands: Sequence[Command], target: Target, arena: int) -> Tilings:
    """Return the fastest of the likely tilings, measured one convolution at a time on one thread.

    Convolutions of the same shape, layout and density within a twentieth are measured once.

    Args:
        commands: of a plan.
        target: what is compiled for.
        arena: address of the arena; what is in it is overwritten.
    """
    known: dict[Any, Tiling] = {}
    found: Tilings = {}
    for command in commands:
        if isinstance(command, Convolve):
            key = _alike(command)
            if key not in known:
                known[key] = _fastest(command, target, arena)
            found[command.name] = known[key]
    return found


def _alike(command: Convolve) -> tuple[Any, ...]:
    return (
        command.weight.shape,
        command.source.layout,
        command.target.layout,
        command.window.stride,
        command.window.dilation,
        command.groups,
        command.residual is None,
        round(20 * command.weight.count / prod(command.weight.shape)),
    )


def _fastest(command: Convolve, target: Target, arena: int) -> Tiling:
    def seconds(tiling: Tiling) -> float:
        return _seconds(convolution_steps(command, tiling, arena, target, 1))

    times = {tiling: seconds(tiling) for tiling in likely(command, target, _TILES)}
    for tile in sorted(times, key=times.__getitem__)[:_FINALISTS]:
        for channels in slices(command):
            other = replace(tile, channels=channels)
            if other not in times:
                times[other] = seconds(other)
    best = min(times, key=times.__getitem__)
    if side := possible_side(command):
        other = replace(best, winograd=side)
        times[other] = seconds(other)
        best = min(best, other, key=times.__getitem__)
    return best


def _seconds(steps: Sequence[KernelStep]) -> float:
    """Return the least time of some calls, after one that warms up."""
    calls = [(_FUNCTION(step.function), step.arguments.ctypes.data, step.tasks) for step in steps]
    least = float("inf")
    for _ in range(1 + _CALLS):
        start = perf_counter()
        for function, arguments, tasks in calls:
            function(arguments, 0, tasks)
        least = min(least, perf_counter() - start)
    return least


def tuned(
    places: Sequence[Path],
    digest: str,
    target: Target,
    measure: Callable[[], Tilings],
    convolutions: Sequence[Convolve],
    size: str = "",
) -> Tilings:
    """Return the tilings kept for this model and processor, or measure them and keep them.

    A file that cannot be read, or is of another model, counts as none; where none can be written none is kept.

    Args:
        places: JSON files; the first that has tilings is taken, the first that can be written is kept.
        digest: of the model.
        target: of the kernels.
        measure: what to call if there is nothing to go by.
        convolutions: of the model.
        size: of its input, where a model has several; each has tilings of its own.
    """
    machine = f"{target.cpu} {target.features}{size and f', {size}'}"
    for place in places:
        found = _read(place, digest).get(machine)
        if found is not None and (tilings := _parsed(found, convolutions)) is not None:
            return tilings
    tilings = measure()
    entry = {name: asdict(tiling) for name, tiling in tilings.items()}
    for place in places:
        kept = _read(place, digest) | {machine: entry}
        if _write(place, {"version": VERSION, "model": digest, "tilings": kept}):
            break
    return tilings


def _read(path: Path, digest: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != VERSION or content.get("model") != digest:
        return {}
    kept = content.get("tilings")
    return kept if isinstance(kept, dict) else {}


def _parsed(found: Any, convolutions: Sequence[Convolve]) -> Tilings | None:
    """Return tilings of JSON, or None if they are not what this module wrote."""
    if not isinstance(found, dict) or set(found) != {one.name for one in convolutions}:
        return None
    fields = set(Tiling.__dataclass_fields__)
    tilings = {}
    for command in convolutions:
        entry = found[command.name]
        if not isinstance(entry, dict) or set(entry) != fields or any(type(one) is not int for one in entry.values()):
            return None
        tiling = tilings[command.name] = Tiling(**entry)
        if not is_possible(command, tiling):
            return None
    return tilings


def _write(path: Path, content: Any) -> bool:
    """Write a file completely or not at all, and return whether it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    except OSError:
        return False
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(content, file)
        # Whoever may read the model may read it; what it says is looked at before it is believed.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        return False
    return True
