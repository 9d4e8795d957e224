"""Trainings of a run in which training against a single step has collapsed."""

from pathlib import Path

from robust_tickets.foundation.files import read_json
from robust_tickets.report.notation import percent
from robust_tickets.report.sections import Section, Table
from robust_tickets.training.metrics import read_metrics

TEXT = (
    "Training against a single step has taught these networks to defeat that step and no more: accuracy under PGD-10, "
    "watched on a few images at every validation, fell below half of its best while accuracy under the single step "
    "rose. They are not as robust as their objective's name promises; shorten its step or radius, train with pgd, or "
    "keep: best."
)


def overfitting_section(folder: Path) -> list[Section]:
    """Return the trainings in a run folder that suffered catastrophic overfitting; nothing where none did."""
    rows = []
    for metrics in sorted(folder.rglob("metrics.jsonl")):
        result = metrics.with_name("result.json")
        if not result.exists() or read_json(result).get("catastrophic_overfitting") is None:
            continue
        watched = [row for row in read_metrics(metrics) if "catastrophic_overfitting" in row]
        first = next(row for row in watched if row["catastrophic_overfitting"])
        single, pgd = (next(key for key in first if key.startswith(prefix)) for prefix in ("single_step_", "pgd_"))
        best = max(row[pgd] for row in watched if row["step"] <= first["step"])
        figures = (percent(value) for value in (best, first[pgd], first[single]))
        rows.append((str(result.parent.relative_to(folder)), first["epoch"], *figures))
    if not rows:
        return []
    columns = ("training", "found at epoch", "best so far under PGD-10 (%)", "then (%)", "under the single step (%)")
    table = Table(title="Trainings that collapsed", columns=columns, rows=tuple(rows))
    return [Section(title="Catastrophic overfitting", text=TEXT, tables=(table,), is_verdict=True)]
