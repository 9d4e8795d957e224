"""How long a runtime file takes to load in a new process, and how small it is."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.inference.messages import Order, Started
from benchmarks.inference.networks import masks, pruned_file, random_images
from benchmarks.inference.team import Member, cores
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.timing import spread, typical
from robust_tickets.runtime.storage.file import stored_weights

PERCENT = 90
LOAD_TARGET = 1.0
"""One over seconds."""
SIZE_TARGET = 6.0


def measure_load(scale: Scale) -> Row:
    """Load a file in one new process after another; the first fills the caches and does not count."""
    settings = scale.inference
    source = settings.source("resnet50")
    path = pruned_file(settings, source, "uniform", PERCENT, "runtime")
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images.npy")
        np.save(images, random_images(settings, 1))
        started = []
        for _ in range(1 + settings.starts):
            with Member(Order("runtime", path, images, 1, cores(1))) as member:
                assert isinstance(member.started, Started)
                started.append(member.started)
    cached = [one.load_seconds for one in started[1:]]
    first_calls = [one.first_call_seconds for one in started[1:]]
    own = typical(cached)
    details = {
        "summary": f"{own:.2f} s, then the first call {typical(first_calls):.3f} s; in the process before these "
        f"{started[0].load_seconds:.1f} s",
        "network": source,
        "sparsity": PERCENT / 100,
        "file_bytes": path.stat().st_size,
        "seconds": {"load": spread(cached), "first_call": spread(first_calls)},
        "first_process": {"load": started[0].load_seconds, "first_call": started[0].first_call_seconds},
    }
    reading = f"a file of {path.stat().st_size / 1e6:.1f} MB takes {own:.2f} s"
    return Row.judged("load_resnet50", 1 / own, LOAD_TARGET, details, reading)


def measure_size(scale: Scale) -> Row:
    """Compare the bytes that pruned weights take in the file with the 4 bytes each takes dense."""
    settings = scale.inference
    source = settings.source("resnet50")
    path = pruned_file(settings, source, "uniform", PERCENT, "runtime")
    kept = masks(settings, source, "uniform", PERCENT)
    stored = [one for one in stored_weights(path) if one.name in kept]
    assert len(stored) == len(kept)
    dense_bytes, own_bytes = sum(one.dense_bytes for one in stored), sum(one.bytes for one in stored)
    nonzero = sum(int(mask.sum()) for mask in kept.values())
    each, index = own_bytes / nonzero, sum(one.index_bytes for one in stored) / nonzero
    details = {
        "summary": f"{dense_bytes / 1e6:.1f} MB of weights in {own_bytes / 1e6:.2f} MB, {each:.2f} bytes a nonzero",
        "network": source,
        "sparsity": PERCENT / 100,
        "weights": dense_bytes // 4,
        "nonzero": nonzero,
        "dense_bytes": dense_bytes,
        "own_bytes": own_bytes,
        "file_bytes": path.stat().st_size,
        "encodings": dict(Counter(f"{one.encoding}, {one.coding}, {one.dtype}" for one in stored)),
    }
    reason = f"a nonzero weight takes {each:.2f} bytes, {index:.2f} of them its position"
    return Row.judged(f"size_{PERCENT}", dense_bytes / own_bytes, SIZE_TARGET, details, reason)
