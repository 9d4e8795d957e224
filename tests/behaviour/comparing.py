"""The differences between two recordings: what was lost or changed; new values in a known file are no difference."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Recording = Mapping[str, Mapping[str, Any]]


class Renamed(NamedTuple):
    """Files or values that have another name since, as `file:place`; the value has to be the same."""

    old: str
    """A regular expression for the whole of it."""
    new: str
    """What it is called now, with groups of the expression as `\\1`."""
    reason: str


class Added(NamedTuple):
    """Files that there were not before."""

    file: str
    """A regular expression for the whole of it."""
    reason: str


RENAMED: tuple[Renamed, ...] = ()
ADDED: tuple[Added, ...] = ()


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
            name = f"{file}:{place}"
            for row in renamed:
                if found := re.fullmatch(row.old, name):
                    name = found.expand(row.new)
            now, _, at = name.partition(":")
            of_file = wanted.setdefault(now, {})
            if values:
                of_file[at] = values[place]
    return wanted
