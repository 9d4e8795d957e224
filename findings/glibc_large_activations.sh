#!/usr/bin/env bash
# torch 2.13.0 on CPUs, glibc: memory of activations above and below 32 MiB.
#
# Guess, written down first: after a first step that gets memory from the system, a training step of torch on a CPU finds
# it in the allocator's pool, so page faults per step do not depend on how large an activation is, nor does the time per
# element.
# Seen: torch has no pool of its own on CPUs, and glibc, which adapts to the sizes it sees, keeps blocks up to 32 MiB only. Of
# activations of 31 MiB a step maps 0.6 pages for each that they have; at 33 MiB it is 7, every page of everything it makes,
# and the step takes nearly twice as long per MiB. With glibc's thresholds set by hand there are no faults, and it takes less
# than half of that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
cat > "$folder/step.py" <<'PYTHON'
import platform
import resource
import sys
import time
from importlib.metadata import version

import torch

torch.set_num_threads(1)
mebibytes = int(sys.argv[1])
images = torch.randn(mebibytes * 2**20 // 4)
scale = torch.ones((), requires_grad=True)


def step() -> None:
    (images * scale).sigmoid().tanh().mean().backward()
    scale.grad = None


for _ in range(5):
    step()
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
for _ in range(10):
    step()
seconds = (time.perf_counter() - started) / 10
faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10
pages = mebibytes * 2**20 / resource.getpagesize()
print(
    f"torch {version('torch')}, {' '.join(platform.libc_ver())}: activations of {mebibytes} MiB, "
    f"{faults / pages:.2f} page faults a page and step, {1000 * seconds / mebibytes:.2f} ms a MiB and step",
    file=sys.stderr,
)
print(int(faults > pages))
PYTHON
python="$folder/venv/bin/python"
small=$("$python" "$folder/step.py" 31)
large=$("$python" "$folder/step.py" 33)
kept=$(MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=1073741824 "$python" "$folder/step.py" 33)
echo "faults in every step: below 32 MiB $small, above $large, above with thresholds of one's own $kept"
[ "$small $large $kept" = "0 1 0" ]
