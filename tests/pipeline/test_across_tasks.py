"""Tickets drawn on one task and trained on another, against the other's own; and tasks of single targets."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe, load_recipe
from robust_tickets.report.summary import ResultRow, Summary

TRAINING = {"epochs": 1, "batch_size": 20, "precision": "fp32"}
DIGITS = {"name": "digits", "per_class": 4, "validation": 0}
LETTERS = {"name": "glyphs", "glyphs": {"count": 520}, "per_class": 2}
NETWORK = {
    "name": "demo/resnet4",
    "weights": "random",
    "num_classes": 10,
    "in_channels": 1,
    "preprocessing": {"size": 8},
}
RECIPE: dict[str, Any] = {
    "name": "Two tasks",
    "sources": {"tiny": {"source": NETWORK}},
    "data": DIGITS,
    "targets": {"letters": LETTERS},
    "draw": {
        "sparsity": [0.5],
        "timeline": {"kind": "iterative", "rounds": 2, "epochs": 1},
        "head": "fresh",
        "data": {**DIGITS, "per_class": 3},
        "training": TRAINING,
    },
    "variants": {
        "letters": {"data": LETTERS},
        "untrained": {"timeline": {"kind": "one-shot"}, "data": None},
    },
    "transfers": {"linear": {"mode": "linear", "seeds": [0, 1], "training": TRAINING}},
    "shrink": None,
}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return run(Recipe.model_validate(RECIPE), tmp_path_factory.mktemp("run"))


def rows_of(summary: Summary, way: str, target: str) -> dict[int, ResultRow]:
    return {row.seed: row for row in summary.rows if (row.drawing, row.target) == (way, target)}


def test_every_ticket_is_compared_with_the_targets_own(summary: Summary) -> None:
    section = next(section for section in summary.sections if section.title == "Tickets across tasks")
    (table,), (shown,) = section.tables, section.maps
    assert table.columns == ("ticket", "drawn on", "digits, accuracy (points)", "letters, accuracy (points)")
    assert [row[:2] for row in table.rows] == [("draw", "digits"), ("letters", "letters"), ("untrained", None)]
    digits, letters = (
        {way: rows_of(summary, way, target) for way in ("draw", "letters", "untrained")}
        for target in ("digits", "glyphs")
    )
    own = fmean(row.standard_accuracy for row in letters["letters"].values())
    assert table.rows[1][3] == f"own: {100 * own:.1f} %"
    for number, way in ((1, "letters"), (2, "untrained")):
        gains = [digits[way][seed].standard_accuracy - digits["draw"][seed].standard_accuracy for seed in (0, 1)]
        assert str(table.rows[number][2]).split(" ± ")[0].replace("−", "-") == f"{100 * fmean(gains):+.1f}"
        assert shown.values[number][0] == pytest.approx(100 * fmean(gains))
    assert (shown.x, shown.y) == (("digits", "letters"), ("draw", "letters", "untrained"))
    assert shown.values[0][0] == 0.0 == shown.values[1][1]


def test_one_target_has_no_other_task(tmp_path: Path) -> None:
    found = run(Recipe.model_validate({**RECIPE, "targets": {}, "variants": {}}), tmp_path)
    assert [section.title for section in found.sections] == ["Training"]


def test_a_target_can_ask_for_a_task_of_its_own(tmp_path: Path) -> None:
    kept = {"targets": RECIPE["targets"], "variants": {}, "draw": {"sparsity": 0.5}}
    tasks = {"letters": {"kind": "classification", "judged_by": "f1"}}
    found = run(Recipe.model_validate({**RECIPE, **kept, "tasks": tasks}), tmp_path)
    assert {(row.target, row.score) for row in found.rows} == {("digits", "accuracy"), ("glyphs", "F1")}


def test_a_task_of_no_target_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("extends: language\ntasks: {cola: {kind: classification, judged_by: matthews}}\n")
    with pytest.raises(UserError, match=r"tasks\.cola: no such target; there is data"):
        load_recipe(path)


def test_old_recipes_are_written_as_before() -> None:
    assert "tasks" not in Recipe.model_validate(RECIPE).model_dump(mode="json")
