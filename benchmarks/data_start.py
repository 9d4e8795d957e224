"""How long a training on a large folder takes to start: from the listing to the first batch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.image_folder import image_folder
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.timing import spread, typical

SECONDS = 15.0
GIB = 2.0
STARTED = """
import json, resource, sys, time
import psutil
from robust_tickets.data.batches import batches
from robust_tickets.data.load import load_data
from robust_tickets.data.readers import read
from robust_tickets.data.settings import DataSettings

settings = DataSettings(name=sys.argv[1], workers=2)
begin = time.perf_counter()
read(settings)
listed = time.perf_counter()
splits = load_data(settings, seed=0)
splits.digest
loading = iter(batches(splits.train, batch_size=128, seed=0, augment=splits.augmentation, workers=2))
first = next(loading)
there = time.perf_counter()
workers = sum(child.memory_full_info().uss for child in psutil.Process().children())
del loading, first
for seed in (1, 2):
    load_data(settings, seed=seed).digest
done = time.perf_counter()
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)
memory = (own + workers) / 2**30
told = {"listing": listed - begin, "start": there - listed, "another_seed": (done - there) / 2, "memory_gib": memory}
print(json.dumps({**told, "images": len(splits.train), "kept": splits.train.held is not None}))
"""
"""Run in a process of its own, with nothing remembered of the files at first. Memory is the most that it held, and what
its workers held for themselves at the first batch."""


def measure(scale: Scale) -> Row:
    """Time the first start on a folder and, with what is remembered of it, the next one."""
    first: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    with image_folder(scale.listed, scale.side) as folder:
        for _ in range(scale.starts):
            with TemporaryDirectory() as cache:
                first.append(started(folder, cache))
                again.append(started(folder, cache))
    seconds = typical([one["start"] for one in first])
    memory = max(one["memory_gib"] for one in first + again)
    summary = (
        f"{seconds:.1f} s beyond {typical([one['listing'] for one in first]):.1f} s of listing for {scale.listed:,} "
        f"JPEG files of {scale.side} x {scale.side}; {typical([one['start'] for one in again]):.1f} s the next time; "
        f"{memory:.2f} GiB"
    )
    details = {
        "summary": summary,
        "files": scale.listed,
        "trained_on": first[0]["images"],
        "kept_decoded": first[0]["kept"],
        "memory_gib": round(memory, 3),
        **{
            f"{name}_{when}": spread([one[name] for one in runs])
            for when, runs in (("first", first), ("again", again))
            for name in ("listing", "start", "another_seed")
        },
    }
    too_large = f"{memory:.2f} GiB of memory, the limit is {GIB:g}" if memory >= GIB else ""
    return Row.judged("data_start", SECONDS / seconds, 1.0, details, f"{seconds:.1f} s", too_large)


def started(folder: Path, cache: str) -> dict[str, Any]:
    """Return what a fresh process took."""
    environment = {**os.environ, "ROBUST_TICKETS_CACHE": cache, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STARTED, str(folder)]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
