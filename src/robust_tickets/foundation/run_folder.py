"""The folder that a run keeps everything in, and paths inside it that stay right when it is moved or sent.

What a file in a run says of another place in the same run is written relative to the file's own folder, beginning
with `./` or `../`. Everything else is written as it is.
"""

import os
from pathlib import Path

from robust_tickets.foundation.ownership import json_of

VERBS = ("run", "find")
"""What makes a folder of many transfers."""


def verb_of(folder: Path) -> str | None:
    """Return what a folder of ours is for, as its `settings.json` says; None if it says nothing."""
    claim = json_of(folder / "settings.json")
    return claim.get("verb") if claim is not None else None


def root_of(folder: Path) -> Path | None:
    """Return the run that a folder lies in, or is; absolute. None: no run."""
    place = Path(os.path.abspath(folder))
    return next((each for each in (place, *place.parents) if verb_of(each) in VERBS), None)


def movable(name: str, folder: Path) -> str:
    """Return how a file in `folder` names the place `name`: relative if both lie in one run.

    Args:
        name: an absolute path, or anything else, which is returned as it is.
        folder: of the file.
    """
    if not os.path.isabs(name):
        return name
    # Sources are recorded with links resolved.
    home = folder.resolve()
    root = root_of(home) or home
    if not Path(name).is_relative_to(root):
        return name
    relative = os.path.relpath(name, home)
    return relative if relative.startswith("..") else os.path.join(".", relative)


def located(name: str, folder: Path) -> str:
    """Undo `movable`: return the place that a file in `folder` names.

    An absolute path that is no longer there, as runs wrote them before they could be moved, is looked for in the
    run: as the longest end of it that is there.
    """
    if name.startswith(("./", "../")) or name == ".":
        return os.path.abspath(folder / name)
    if os.path.isabs(name) and not os.path.exists(name) and (root := root_of(folder)) is not None:
        ends = (root.joinpath(*Path(name).parts[first:]) for first in range(1, len(Path(name).parts)))
        return str(next((place for place in ends if place.exists()), name))
    return name
