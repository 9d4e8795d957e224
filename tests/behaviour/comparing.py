"""The differences between two recordings: what was lost or changed; new values in a known file are no difference."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Recording = Mapping[str, Mapping[str, Any]]


class Renamed(NamedTuple):
    """Files or values that have another name since, as `file:place`; the value has to be the same."""

    old: str
    """A regular expression for the whole of it."""
    new: str | None
    """What it is called now, with groups of the expression as `\\1`; None: it is no longer said."""
    reason: str


class Added(NamedTuple):
    """Files that there were not before."""

    file: str
    """A regular expression for the whole of it."""
    reason: str


RENAMED: tuple[Renamed, ...] = (
    Renamed(r".*verdict\.json:exported\.rows\.\d+\.is_accuracy", None, "how a figure is written; `unit` says it now"),
)
ADDED: tuple[Added, ...] = (Added(r"detection/.*", "detection came later"),)
REWORDED = ((re.compile(r"(\d+) a class"), r"\1 per class"),)
"""Labels among the values that are worded otherwise since."""


def differences(
    before: Recording,
    now: Recording,
    renamed: tuple[Renamed, ...] = RENAMED,
    added: tuple[Added, ...] = ADDED,
) -> Iterator[str]:
    """Yield a line for every value that is lost or changed, and every file that is lost or new."""
    wanted = with_names_of_now(before, renamed)
    for file in sorted(wanted.keys() - now.keys()):
        yield f"{file}: is no longer written"
    for file in sorted(now.keys() - wanted.keys()):
        if not any(re.fullmatch(row.file, file) for row in added):
            yield f"{file}: was not written before"
    for file in sorted(wanted.keys() & now.keys()):
        for place, value in wanted[file].items():
            if place not in now[file]:
                yield f"{file}: {place} = {value!r} is lost"
            elif now[file][place] != value:
                yield f"{file}: {place} was {value!r} and is {now[file][place]!r}"


def with_names_of_now(before: Recording, renamed: tuple[Renamed, ...]) -> Recording:
    """Return the older recording as it would be called now; an empty file has a place without a name."""
    wanted: dict[str, dict[str, Any]] = {}
    for file, values in before.items():
        for place in values or [""]:
            name = name_now(f"{file}:{place}", renamed)
            if name is None:
                continue
            now, _, at = name.partition(":")
            of_file = wanted.setdefault(now, {})
            if values:
                of_file[at] = in_words_of_now(values[place])
    return wanted


def in_words_of_now(value: Any) -> Any:
    """Return a value as it is worded now."""
    for old, new in REWORDED:
        if isinstance(value, str) and (found := old.fullmatch(value)):
            return found.expand(new)
    return value


def name_now(name: str, renamed: tuple[Renamed, ...]) -> str | None:
    """Return what `file:place` is called now; None where it is no longer said."""
    for row in renamed:
        if found := re.fullmatch(row.old, name):
            if row.new is None:
                return None
            name = found.expand(row.new)
    return name
