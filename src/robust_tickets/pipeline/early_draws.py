"""Draws of a run that compared masks while they trained."""

from pathlib import Path

from robust_tickets.findings.early_draws import DrawDistances
from robust_tickets.foundation.files import read_json

TICKETS = "tickets"


def draw_distances(folder: Path) -> list[DrawDistances]:
    """Return what every draw of a run folder compared; nothing of draws that compared nothing."""
    found = []
    for result in sorted((folder / TICKETS).rglob("result.json")):
        if pairs := read_json(result).get("mask_distances"):
            steps, distances = zip(*pairs, strict=True)
            found.append(DrawDistances(str(result.parent.relative_to(folder / TICKETS)), steps, distances))
    return found
