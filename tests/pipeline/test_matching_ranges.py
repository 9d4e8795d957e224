"""Which sparsities are trivial, and up to which drawn tickets alone match."""

from pathlib import Path
from typing import Any

import pytest

from robust_tickets.findings.matching_ranges import Ladder, Range, Rung, matching_range_sections, ranges_of
from robust_tickets.measures.matching import Conclusion
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe

YES: Conclusion = "matches"
NO: Conclusion = "does not match"
OPEN: Conclusion = "cannot tell"


def rung(kept: float, drawn: Conclusion, random: Conclusion, fresh: Conclusion = NO) -> Rung:
    return Rung(1 - kept, drawn, {"random": random, "reinitialised": fresh})


@pytest.mark.parametrize(
    ("drawn", "random", "fresh", "reach"),
    [
        (YES, YES, NO, "trivial"),
        (YES, NO, YES, "trivial"),
        (YES, OPEN, YES, "trivial"),
        (YES, NO, NO, "only drawn"),
        (YES, NO, OPEN, "undecided"),
        (OPEN, YES, YES, "undecided"),
        (OPEN, NO, NO, "undecided"),
        (NO, NO, NO, "none"),
        (NO, YES, OPEN, "none"),
    ],
)
def test_what_matches_at_a_sparsity(drawn: Conclusion, random: Conclusion, fresh: Conclusion, reach: str) -> None:
    assert rung(0.5, drawn, random, fresh).reach == reach


FRANKLE = (
    rung(0.134, YES, NO),
    rung(1.0, YES, YES),
    rung(0.8, YES, YES),
    rung(0.64, YES, NO),
    rung(0.107, OPEN, NO),
    rung(0.086, NO, NO),
    rung(0.05, NO, NO),
)


def test_neighbouring_sparsities_are_one_range_whatever_their_order() -> None:
    assert [(one.reach, round(1 - one.first, 3), round(1 - one.last, 3)) for one in ranges_of(FRANKLE)] == [
        ("trivial", 1.0, 0.8),
        ("only drawn", 0.64, 0.134),
        ("undecided", 0.107, 0.107),
        ("none", 0.086, 0.05),
    ]
    # A reach that comes back is another range.
    back = ranges_of((rung(0.8, NO, NO), rung(0.64, YES, NO), rung(0.5, NO, NO)))
    assert [one.reach for one in back] == ["none", "only drawn", "none"]


def test_ranges_are_told_in_weights_kept() -> None:
    assert Range("only drawn", 0.36, 0.866).told() == "only drawn tickets match from 64 to 13.4 % kept"
    assert Range("none", 0.95, 0.95).told() == "drawn tickets do not match at 5 % kept"
    (section,) = matching_range_sections([Ladder("", FRANKLE)])
    assert section.text.startswith(
        "Trivial, controls match too from 100 to 80 % kept; only drawn tickets match from 64 to 13.4 % kept; undecided "
        "at 10.7 % kept; drawn tickets do not match from 8.6 to 5 % kept. "
    )
    (table,) = section.tables
    assert table.columns == ("weights kept (%)", "drawn", "random mask", "re-initialised weights", "range")
    assert table.rows[0] == ("100", YES, YES, NO, "trivial, controls match too")
    assert [row[0] for row in table.rows] == ["100", "80", "64", "13.4", "10.7", "8.6", "5"]
    assert matching_range_sections([]) == []


RECIPE: dict[str, Any] = {
    "name": "Ranges",
    "sources": {"tiny": {"source": {"name": "demo/resnet4", "weights": "random", "num_classes": 10, "in_channels": 1}}},
    "data": {"name": "digits", "per_class": 4, "validation": 0},
    "draw": {"sparsity": [0.5, 0.9]},
    "controls": ["random", "complement"],
    "transfers": {"full": {"seeds": [0, 1], "training": {"epochs": 1, "batch_size": 20, "precision": "fp32"}}},
    "shrink": None,
}


def test_a_run_with_controls_says_its_ranges(tmp_path: Path) -> None:
    found = run(Recipe.model_validate(RECIPE), tmp_path / "run")
    (section,) = [section for section in found.sections if section.title == "Matching ranges"]
    (table,) = section.tables
    assert table.columns == ("weights kept (%)", "drawn", "random mask", "range"), "a complement is no control of this"
    assert [row[0] for row in table.rows] == ["50", "10"]
    verdicts = {row.sparsity: row.verdict for row in found.verdicts}
    assert [row[1] for row in table.rows] == [verdicts[sparsity] for sparsity in sorted(verdicts)]
    without = run(Recipe.model_validate({**RECIPE, "controls": ["complement"]}), tmp_path / "without")
    assert "Matching ranges" not in [section.title for section in without.sections]
