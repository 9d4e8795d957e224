"""The memory of this process."""

import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Start a new peak here, where the system can: what an import needed for a moment does not count."""
    if CLEAR.exists():
        CLEAR.write_text("5")


def peak_bytes() -> int:
    """Return the most bytes this process has held in memory.

    Linux tells it of this program alone; `ru_maxrss` there includes the process that started it.
    """
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
