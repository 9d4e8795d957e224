"""The user's cache folder: what is kept there can always be found out again.

The runtime, which imports no other room, keeps its compiled kernels next to this, by the same rule.
"""

import os
from pathlib import Path

ENVIRONMENT = "ROBUST_TICKETS_CACHE"
"""Names the folder, in place of the user's cache folder; empty: nothing is kept."""


def user_cache(name: str) -> Path | None:
    """Return the folder for one kind of content, which may not exist yet; None if nothing is kept."""
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return Path(given).expanduser() / name if given else None
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # the user has no home
        return None
    return home / "robust-tickets" / name
