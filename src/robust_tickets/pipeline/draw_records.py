"""What the draws of a run recorded while they trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robust_tickets.findings.early_draws import DrawDistances
from robust_tickets.findings.searches import SearchCourse
from robust_tickets.foundation.files import read_json

TICKETS = "tickets"


def draw_distances(folder: Path) -> list[DrawDistances]:
    """Return what every draw of a run folder compared; nothing of draws that compared nothing."""
    return [DrawDistances(draw, *columns) for draw, columns in _recorded(folder, "mask_distances")]


def search_courses(folder: Path) -> list[SearchCourse]:
    """Return what was left after every removal of channels; nothing of draws that removed none."""
    return [SearchCourse(draw, *columns) for draw, columns in _recorded(folder, "removals")]


def _recorded(folder: Path, what: str) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
    """Yield the name of each draw that recorded it, and its columns."""
    for result in sorted((folder / TICKETS).rglob("result.json")):
        if rows := read_json(result).get(what):
            yield str(result.parent.relative_to(folder / TICKETS)), zip(*rows, strict=True)
