"""A run says which tickets are double-win, and which trainings against a single step collapsed."""

from pathlib import Path
from typing import Any

import pytest

from robust_tickets.findings.collapses import collapse_sections
from robust_tickets.foundation.files import write_json, write_text
from robust_tickets.pipeline.overfitting import collapses
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe
from tests.pipeline.test_grid import RECIPE, TRAINING

QUICK = {"seeds": [0, 1], "training": TRAINING}
ADVERSARIAL = {"seeds": [0, 1], "training": {**TRAINING, "objective": {"kind": "fgsm-rs", "epsilon": 0.05}}}
ATTACK = {"margin": 0.9, "robustness": {"threat": {"epsilon": 0.05, "steps": 2}, "limit": 40}}


def recipe(**changes: Any) -> Recipe:
    alone = {"natural": RECIPE["sources"]["natural"]}
    ways = {"full": QUICK, "linear": {"mode": "linear", **QUICK}, "adversarial": ADVERSARIAL}
    return Recipe.model_validate({**RECIPE, "sources": alone, "transfers": ways, "verify": ATTACK, **changes})


def test_every_ticket_of_a_pair_of_transfers_gets_a_verdict(tmp_path: Path) -> None:
    summary = run(recipe(), tmp_path)
    section = next(section for section in summary.sections if section.title == "Double win")
    assert [table.title for table in section.tables] == [
        "data: full and adversarial transfer",
        "half: full and adversarial transfer",
    ]
    assert "under PGD-2 in L-inf 0.05" in section.text
    difference = {
        (row.objective, row.measure): row.difference
        for row in summary.verdicts
        if (row.transfer, row.fraction) == ("full", "4 per class") and row.sparsity < 0.6
    }
    for table in section.tables:
        assert table.columns[3:7] == ("SA(standard)", "SA(adversarial)", "RA(adversarial)", "RA(standard)")
        assert [row[:3] for row in table.rows] == [("natural", "draw", "50"), ("natural", "draw", "80")]
        assert {row[-1] for row in table.rows} <= {"double win", "no double win", "cannot tell"}
    told = [float(str(cell).strip("()").replace("−", "-")) for cell in section.tables[0].rows[0][3:7]]
    ways = [("standard", "standard"), ("fgsm-rs", "standard"), ("fgsm-rs", "robust"), ("standard", "robust")]
    assert told == pytest.approx([100 * difference[way] for way in ways], abs=0.051)
    won = [row for table in section.tables for row in table.rows if row[-1] == "double win"]
    assert (f"{len(won)} of the 4" if won else "None of the 4") in section.text


@pytest.mark.parametrize(
    "changes", [{"verify": {}}, {"transfers": {"linear": {"mode": "linear", **QUICK}, "adversarial": ADVERSARIAL}}]
)
def test_without_an_attack_or_a_pair_nothing_is_said(changes: dict[str, Any], tmp_path: Path) -> None:
    summary = run(recipe(targets={}, draw={"sparsity": 0.5}, **changes), tmp_path)
    assert "Double win" not in {section.title for section in summary.sections}


def test_a_collapsed_training_is_named_with_its_figures(tmp_path: Path) -> None:
    row = '{"step": %d, "epoch": %d, "single_step_accuracy": %g, "pgd_accuracy": %g, "catastrophic_overfitting": %s}\n'
    for name, collapse in (("fast", 2.0), ("sound", None)):
        write_json(tmp_path / "sources" / name / "result.json", {"catastrophic_overfitting": collapse})
        last = (20, 2, 0.8, 0.03, "true") if collapse else (20, 2, 0.55, 0.42, "false")
        write_text(tmp_path / "sources" / name / "metrics.jsonl", row % (10, 1, 0.5, 0.4, "false") + row % last)
    (section,) = collapse_sections(collapses(tmp_path))
    assert section.title == "Catastrophic overfitting"
    assert section.tables[0].rows == (("sources/fast", 2.0, "40.0", "3.0", "80.0"),)
    assert collapse_sections(collapses(tmp_path / "sources" / "sound")) == []
