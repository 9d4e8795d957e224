"""Patterns that name files: braces as shells and WebDataset write them, and `*`, `?` and `[...]`."""

import glob
import re
from itertools import product
from math import prod
from pathlib import Path

from robust_tickets.foundation.errors import UserError

MARKS = re.compile(r"[*?\[{]")
BRACES = re.compile(r"\{([^{}]*)\}")
NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000
"""Names that braces may stand for; more are a slip of the pen."""


def is_pattern(path: Path) -> bool:
    """Return whether a path has the marks of a pattern, and nothing lies there by that very name."""
    return MARKS.search(str(path)) is not None and not path.exists()


def above(pattern: Path) -> Path:
    """Return the folder below which all lies that a pattern can mean."""
    return next(folder for folder in pattern.parents if MARKS.search(str(folder)) is None)


def matching(pattern: Path) -> list[Path]:
    """Return the files that a pattern means, sorted.

    Raises:
        UserError: there are none, or one that braces name is missing.
    """
    found: set[str] = set()
    for name in spelled_out(str(pattern)):
        files = [file for file in glob.glob(name) if Path(file).is_file()]
        if not files:
            missing = "" if name == str(pattern) else f" ({Path(name).name} is missing)"
            raise UserError(f"{pattern}: no such files{missing}")
        found.update(files)
    return [Path(file) for file in sorted(found)]


def spelled_out(text: str) -> list[str]:
    """Return what braces stand for: `{08..10}` for 08, 09 and 10; `{a,b}` for a and b.

    Raises:
        UserError: they stand for more names than anybody means.
    """
    pieces = [[piece] if place % 2 == 0 else alternatives(piece) for place, piece in enumerate(BRACES.split(text))]
    if (count := prod(map(len, pieces))) > MOST:
        raise UserError(f"{text}: stands for {count:,} names; give {MOST:,} or fewer")
    return ["".join(chosen) for chosen in product(*pieces)]


def alternatives(inner: str) -> list[str]:
    """Return what the inside of one pair of braces stands for."""
    if (numbers := NUMBERS.fullmatch(inner)) is None:
        return inner.split(",")
    first, last = numbers.groups()
    # One more than can be given is enough to be refused.
    until = min(int(last), int(first) + MOST)
    return [str(number).zfill(len(first)) for number in range(int(first), until + 1)]
