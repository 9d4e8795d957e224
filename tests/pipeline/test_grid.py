"""A grid of several sources and targets: filled over time, grown, and told as far as it is filled."""

import json
from pathlib import Path
from typing import Any

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.pipeline.grid import Grid
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe, load_recipe
from robust_tickets.report.markdown import to_markdown
from robust_tickets.report.points import points

NETWORK = {
    "name": "demo/resnet4",
    "weights": "random",
    "num_classes": 10,
    "in_channels": 1,
    "preprocessing": {"size": 8},
}
TRAINING = {"epochs": 1, "batch_size": 20, "precision": "fp32"}
LETTERS = {"name": "glyphs", "glyphs": {"count": 520}}
RECIPE = {
    "name": "Grid",
    "sources": {
        "natural": {"source": NETWORK},
        "other": {"source": NETWORK, "pretrain": {"data": {"name": "digits", "per_class": 4}, "training": TRAINING}},
    },
    "data": {"name": "digits", "per_class": 4, "validation": 0},
    "targets": {"half": {"per_class": 2}},
    "draw": {"sparsity": [0.5, 0.8]},
    "transfers": {"linear": {"mode": "linear", "seeds": [0, 1], "training": TRAINING}},
    "shrink": None,
}


def grid_recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate({**RECIPE, **changes})


def test_every_target_and_source_is_a_cell_and_gains_are_paired_by_seed(tmp_path: Path) -> None:
    recipe = grid_recipe()
    summary = run(recipe, tmp_path)
    assert {(row.target, row.fraction) for row in summary.rows} == {
        ("digits", "4 per class"),
        ("digits", "2 per class"),
    }
    assert len(summary.rows) == 2 * 2 * 3 * 2
    gain, training = summary.sections
    assert (gain.title, training.title) == ("Gain over natural tickets", "Training")
    accuracy = {
        (row.series, row.seed): row.standard_accuracy
        for row in summary.rows
        if row.fraction == "4 per class" and row.ticket == "drawn" and round(row.sparsity, 1) == 0.8
    }
    mean = sum(accuracy["other", seed] - accuracy["natural", seed] for seed in (0, 1)) / 2
    table = next(table for table in gain.tables if table.title == "digits, linear transfer")
    told = next(row for row in table.rows if row[:2] == ("draw", "80"))[2]
    assert str(told).split(" ± ")[0].replace("−", "-") == f"{100 * mean:+.1f}"


def test_tickets_drawn_or_trained_in_other_ways_are_never_averaged_together(tmp_path: Path) -> None:
    linear = RECIPE["transfers"]["linear"]
    summary = run(
        grid_recipe(
            sources={"natural": {"source": NETWORK}},
            targets={},
            draw={"sparsity": [0.5]},
            variants={"chance": {"score": "random"}},
            transfers={"frozen": linear, "moving": {**linear, "bn": "batch"}},
        ),
        tmp_path,
    )
    found = points(summary.rows)
    assert {(point.row.training, point.row.drawing) for point in found} == {
        (training, drawing) for training in ("frozen", "moving") for drawing in ("", "draw", "chance")
    }
    assert {point.standard.seeds for point in found} == {2}
    text = to_markdown(summary)
    assert all(f"| {name} |" in text for name in ("frozen", "moving", "draw", "chance"))


def test_what_shrink_would_refuse_is_refused_before_anything_trains(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the validation part is empty, on which recalibrate is checked"):
        run(grid_recipe(shrink={"recalibrate": True}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["pretrain", "transfer", "draw"])
def test_epochs_that_nothing_can_select_are_refused_before_anything_trains(tmp_path: Path, place: str) -> None:
    steps = ("pretrain", "transfer", "draw")
    training = {step: {**TRAINING, "keep": "best" if step == place else "last"} for step in steps}
    data = {"name": "digits", "per_class": 4, "validation": 0}
    recipe = grid_recipe(
        sources={"made": {"source": NETWORK, "pretrain": {"data": data, "training": training["pretrain"]}}},
        draw={"sparsity": [0.5], "timeline": "iterative", "data": data, "training": training["draw"]},
        transfers={"full": {"training": training["transfer"]}},
    )
    with pytest.raises(UserError, match="keep: best"):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_grid_stops_at_its_time_says_what_is_missing_and_goes_on(tmp_path: Path) -> None:
    recipe = grid_recipe()
    ticks = iter(range(100))
    # The clock is looked at once at the start and once before each cell.
    cells = list(Grid(recipe, tmp_path).cells(3.5, clock=lambda: next(ticks)))
    assert [cell.place for cell in cells] == Grid(recipe, tmp_path).places[:3]
    summary = run(recipe, tmp_path, minutes=0)
    assert len(summary.rows) == 3 * 2
    missing = next(section for section in summary.sections if section.title == "Not filled yet")
    assert missing.text.startswith("3 of 12 cells are filled.")
    assert ("digits", "linear", "natural", "draw, drawn", "1 of 2", "80 %") in missing.tables[0].rows
    assert not (tmp_path / "result.json").exists()
    before = json.loads((tmp_path / "transfers/data/natural/linear/dense/seed-0/result.json").read_text())
    whole = run(recipe, tmp_path)
    assert len(whole.rows) == 12 * 2
    assert [section.title for section in whole.sections] == ["Gain over natural tickets", "Training"]
    assert json.loads((tmp_path / "transfers/data/natural/linear/dense/seed-0/result.json").read_text()) == before


def test_a_recipe_that_has_grown_keeps_what_is_done(tmp_path: Path) -> None:
    run(grid_recipe(targets={}), tmp_path)
    done = tmp_path / "transfers/data/natural/linear/draw/drawn-sparsity-0.8/seed-1/result.json"
    time = done.stat().st_mtime_ns
    grown = run(grid_recipe(), tmp_path)
    assert done.stat().st_mtime_ns == time
    assert len({row.fraction for row in grown.rows}) == 2


def test_a_recipe_whose_finished_parts_would_come_out_otherwise_is_refused(tmp_path: Path) -> None:
    run(grid_recipe(targets={}), tmp_path)
    transfers = {"linear": {**RECIPE["transfers"]["linear"], "training": {**TRAINING, "epochs": 2}}}
    with pytest.raises(UserError, match="epochs"):
        run(grid_recipe(targets={}, transfers=transfers), tmp_path)


def test_no_time_for_a_single_cell_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cell was filled in 0 minutes"):
        run(grid_recipe(), tmp_path / "run", minutes=0)
    assert not (tmp_path / "run").exists()


def test_targets_are_changes_of_data() -> None:
    recipe = load_recipe("demo", ["targets.tenth.per_class=1"])
    assert recipe.data_sets()["tenth"].name == "digits"
    with pytest.raises(UserError, match="targets"):
        load_recipe("demo", ["targets.tenth.no_such=1"])


def test_the_domain_gap_stands_beside_the_gain_and_is_measured_once(tmp_path: Path) -> None:
    pretrain = {"data": {"name": "digits", "per_class": 4}, "training": TRAINING}
    sources = {name: {"source": NETWORK, "pretrain": pretrain} for name in ("natural", "other")}
    recipe = grid_recipe(sources=sources, targets={"letters": LETTERS}, draw={"sparsity": [0.5]})
    gain, _ = run(recipe, tmp_path).sections
    table = gain.tables[0]
    assert table.columns[:2] == ("target", "domain gap")
    distance = {row[0]: float(str(row[1])) for row in table.rows}
    # Digits were pretrained on; letters lie further away, and the nearest target comes first.
    assert [row[0] for row in table.rows] == ["digits", "letters"]
    assert 0 <= distance["digits"] < distance["letters"]
    (kept,) = (tmp_path / "gaps").glob("letters-*/result.json")
    before = kept.stat().st_mtime_ns
    assert run(recipe, tmp_path).sections[0] == gain
    assert kept.stat().st_mtime_ns == before


def test_the_report_names_layers_that_a_ticket_has_emptied(tmp_path: Path) -> None:
    draw = {"group": "filter", "scope": {"kind": "layer", "minimum": 0}, "sparsity": [0.5, 0.99]}
    summary = run(grid_recipe(sources={"natural": {"source": NETWORK}}, targets={}, draw=draw), tmp_path)
    (note,) = [note for note in summary.notes if "empty" in note]
    assert note.startswith("draw, natural, drawn, 99.12 %: 7 layers are empty, all weights removed: conv1.weight, ")
