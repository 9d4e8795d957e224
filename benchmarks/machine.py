"""Where it was measured."""

import os
import platform
from typing import Any

from robust_tickets.doctor import examine
from robust_tickets.shrinking.latency import processor_name


def machine() -> dict[str, Any]:
    """Return processor, cores, versions, and how busy the machine is (load average of the last minute)."""
    return {
        **{name: value for name, value in examine() if name not in {"this folder", "madry/ sources"}},
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "load_average": load(),
    }


def load() -> float:
    """Return the load average of the last minute; below 1 the machine was idle but for this run."""
    return round(os.getloadavg()[0], 2)
