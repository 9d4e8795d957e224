"""Measurements behind a verdict, or of an untrained network, as sections of a report."""

from robust_tickets.findings.exported import exported_section
from robust_tickets.findings.measures import Subject, measure_sections
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.sections import Section, Table
from robust_tickets.verbs.evaluate import Evaluated
from robust_tickets.verbs.verify import Verdict


def verdict_sections(verdict: Verdict) -> list[Section]:
    """Return what was measured besides the metric, ticket against dense, and the exported file."""
    lines = {"dense": (0.0, verdict.dense_runs)}
    if verdict.ticket_runs != verdict.dense_runs:
        lines["ticket"] = (verdict.sparsity, verdict.ticket_runs)
    subjects = [
        Subject(
            labels={"ticket": name, "sparsity (%)": sparsity_percent(sparsity)},
            figures=[run.measures for run in runs],
            name=name,
            chart=verdict.transfer,
        )
        for name, (sparsity, runs) in lines.items()
    ]
    exported = [exported_section(verdict.exported)] if verdict.exported is not None else []
    return [*measure_sections(verdict.measures, subjects, verdict.noun), *exported]


def evaluated_sections(found: Evaluated) -> list[Section]:
    """Return what was measured of a network besides the metric."""
    figures = [run.measures for run in found.runs]
    subject = Subject(labels={"network": found.subject}, figures=figures, name="")
    return measure_sections(found.measures, [subject], found.noun)


def runs_table(verdict: Verdict) -> Table:
    """Return the metric of every run, ticket and dense side by side."""
    unit = verdict.standard.unit
    pairs = zip(verdict.ticket_runs, verdict.dense_runs, strict=True)
    return Table(
        title=verdict.verdict.capitalize(),
        columns=("seed", unit.headed(f"ticket {verdict.score}"), unit.headed(f"dense {verdict.score}")),
        rows=tuple(
            (one.seed, unit.number(one.standard, unit.exact), unit.number(other.standard, unit.exact))
            for one, other in pairs
        ),
    )
