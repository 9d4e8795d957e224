"""Trainings of a run in which training against a single step has collapsed."""

from pathlib import Path

from robust_tickets.findings.collapses import Collapse
from robust_tickets.foundation.files import read_json
from robust_tickets.training.metrics import read_metrics


def collapses(folder: Path) -> list[Collapse]:
    """Return the trainings in a run folder that suffered catastrophic overfitting; nothing if none did."""
    found: list[Collapse] = []
    for metrics in sorted(folder.rglob("metrics.jsonl")):
        result = metrics.with_name("result.json")
        if not result.exists() or read_json(result).get("catastrophic_overfitting") is None:
            continue
        watched = [row for row in read_metrics(metrics) if "catastrophic_overfitting" in row]
        first = next(row for row in watched if row["catastrophic_overfitting"])
        single, pgd = (next(key for key in first if key.startswith(prefix)) for prefix in ("single_step_", "pgd_"))
        best = max(row[pgd] for row in watched if row["step"] <= first["step"])
        found.append(Collapse(str(result.parent.relative_to(folder)), first["epoch"], best, first[pgd], first[single]))
    return found
