"""One unit of work in a folder: done once, resumed after an interruption, refused if its settings changed.

`settings.json` says what the folder is for and is written first; `result.json` is written last and atomically,
so that its presence means that everything else is there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, remove_leftovers, write_json
from robust_tickets.foundation.ownership import require_ours

LATER = frozenset({"network_code"})
"""Facts that folders of older versions do not record; if one is absent, it counts as unchanged."""
WORTH_KEEPING = ("result.json", "checkpoint.pt")


class Step:
    """A folder of work. With `folder=None` nothing is kept and nothing is resumed."""

    def __init__(self, folder: Path | str | None, settings: dict[str, Any]) -> None:
        """Look at `folder`, which is or will be for `settings`: plain JSON values that determine the result.

        Raises:
            UserError: the folder contains work with other settings (the first difference is named) or files that are
                not ours; it is a file; or several processes would write it.
        """
        self.folder = Path(folder) if folder is not None else None
        self.settings = settings
        if self.folder is None:
            return
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(
                f"{self.folder}: a run folder is for one process, but a launcher started {os.environ['WORLD_SIZE']}; "
                "start one, or call the verbs from Python without a folder"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder}: is a file; name a folder")
        claim = self.folder / "settings.json"
        if not claim.exists():
            require_ours(self.folder)
        remove_leftovers(self.folder)
        old = read_json(claim) if claim.exists() else settings
        known = {key: value for key, value in settings.items() if key in old or key not in LATER}
        if (difference := first_difference(old, known)) is not None:
            where, before, now = difference
            raise UserError(
                f"{self.folder}: contains work with {where} = {before}, now {now}; choose another folder or "
                "delete this one"
            )
        if self.result is not None:
            (self.folder / "checkpoint.pt").unlink(missing_ok=True)

    @classmethod
    def named(cls, folder: Path | None, prefix: str, settings: dict[str, Any]) -> "Step":
        """Return the step in its own folder, `<prefix>-<hash of settings>`: other settings never collide."""
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
        return cls(folder / f"{prefix}-{digest}" if folder is not None else None, settings)

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the folder while the work is done.

        Raises:
            UserError: the folder cannot be written.
        """
        if self.folder is None:
            yield
            return
        with unchanged_by_mistakes(self.folder):
            claim = self.folder / "settings.json"
            if not claim.exists():
                write_json(claim, self.settings)
            yield

    def path(self, name: str) -> Path | None:
        """Return the path of a file of this step, or None if nothing is kept."""
        return None if self.folder is None else self.folder / name

    @property
    def result(self) -> dict[str, Any] | None:
        """Return what `finish` was given, or None while the work is not done."""
        path = self.path("result.json")
        return read_json(path) if path is not None and path.exists() else None

    def finish(self, result: dict[str, Any]) -> None:
        """Record the result; the step is then done."""
        path = self.path("result.json")
        if path is None:
            return
        write_json(path, result)
        (path.parent / "checkpoint.pt").unlink(missing_ok=True)


@contextmanager
def unchanged_by_mistakes(folder: Path) -> Iterator[None]:
    """Leave `folder` as it was if a user's mistake is found before there is work worth keeping."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    present = set(folder.iterdir()) if folder.is_dir() else set()
    try:
        yield
    except UserError:
        if not any(found for name in WORTH_KEEPING for found in folder.rglob(name)):
            for path in [missing[-1]] if missing else [path for path in folder.iterdir() if path not in present]:
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.exists():
                    path.unlink()
        raise


def first_difference(old: Any, new: Any, where: str = "") -> tuple[str, str, str] | None:
    """Return (place, old, new) of the first difference between two JSON values, or None."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            place = f"{where}.{key}" if where else key
            if found := first_difference(old.get(key), new.get(key), place):
                return found
        return None
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            if found := first_difference(before, after, f"{where}[{number}]"):
                return found
        return None
    return None if old == new else (where or "settings", brief(old), brief(new))


def brief(value: Any) -> str:
    """Return a value for a message of one line."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
