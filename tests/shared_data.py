"""Where the real data sets lie, for tests that need them."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_CANDIDATES = [
    os.environ.get("ROBUST_TICKETS_DATA"),
    _ROOT.parent / "shared" / "data",
    _ROOT / "shared" / "data",
]

SHARED: Path | None = next((Path(place) for place in _CANDIDATES if place and Path(place).is_dir()), None)
"""The folder of real data, or None."""

needs_shared = pytest.mark.skipif(SHARED is None, reason="needs the real data sets (set ROBUST_TICKETS_DATA)")
