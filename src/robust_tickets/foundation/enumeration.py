"""Names in a message: the first few, and how many more there are."""

from collections.abc import Collection

MOST = 5


def enumerated(names: Collection[object], none: str = "none") -> str:
    """Return `a, b and 3 more` for eight names or so: at most five are named; `none` if there are none."""
    listed = [str(name) for name in names]
    if not listed:
        return none
    told = ", ".join(listed[:MOST])
    return f"{told} and {len(listed) - MOST} more" if len(listed) > MOST else told
