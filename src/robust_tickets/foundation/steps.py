"""One unit of work in a folder: done once, resumed when cut off, refused when its settings changed.

`settings.json` says what the folder is for and is written first; `result.json` is written last and atomically,
so that its presence means that everything else is there.
"""

from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, remove_leftovers, write_json


class Step:
    """A folder of work. With `folder=None` nothing is kept and nothing is resumed."""

    def __init__(self, folder: Path | str | None, settings: dict[str, Any]) -> None:
        """Claim `folder` for `settings` (plain JSON values that determine the result).

        Raises:
            UserError: the folder holds work of other settings; the first difference is named.
        """
        self.folder = Path(folder) if folder is not None else None
        self.settings = settings
        if self.folder is None:
            return
        remove_leftovers(self.folder)
        claim = self.folder / "settings.json"
        if not claim.exists():
            write_json(claim, settings)
        elif (difference := first_difference(read_json(claim), settings)) is not None:
            where, old, new = difference
            raise UserError(
                f"{self.folder}: holds work with {where} = {old}, now {new}; choose another folder or delete this one"
            )
        if self.result is not None:
            (self.folder / "checkpoint.pt").unlink(missing_ok=True)

    def path(self, name: str) -> Path | None:
        """Return the path of a file of this step, or None where nothing is kept."""
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
    return None if old == new else (where or "settings", str(old), str(new))
