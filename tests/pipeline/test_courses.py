"""`tickets timeline`: when which event of a recipe happens, as the papers say."""

import re
from pathlib import Path

import pytest

from robust_tickets.findings.courses import NOTE, course_sections
from robust_tickets.pipeline.courses import courses
from robust_tickets.pruning.actions import Action
from robust_tickets.recipe import OPEN, builtin_recipes, load_recipe
from robust_tickets.report.lanes import MARKS, lanes_in_words
from robust_tickets.report.sections import Value
from tests.commands import Tickets

Rows = tuple[tuple[Value, ...], ...]


def events(recipe: str, way: str | None = None, steps_per_epoch: int = 100) -> Rows:
    """Return the table of a recipe's events: epoch, what happens, sparsity, ticket."""
    found = courses(load_recipe(recipe), recipe, steps_per_epoch)
    (place,) = (place for place, course in enumerate(found) if course.way == way)
    return course_sections(found)[1 + place].tables[0].rows


def test_ac_dc_prunes_and_restores_when_the_paper_does() -> None:
    happened = [(row[0], row[1]) for row in events("ac-dc")]
    prunes = [(f"{epoch}", "prune") for epoch in (*range(10, 80, 10), 85)]
    restores = [(f"{epoch}", "restore all weights") for epoch in range(15, 80, 10)]
    expected = sorted(prunes + restores, key=lambda pair: int(pair[0]))
    assert happened == [*expected, ("100", "training ends")]


def test_many_events_of_one_kind_are_one_line() -> None:
    first, moves, last = events("rigl", steps_per_epoch=391)
    assert first == ("0", "prune", "95", None)
    assert moves[0] == "0.2558 to 74.94 (293 times)"  # every 100 steps, up to three quarters of 39,100
    assert str(moves[1]).startswith("drop and grow 30 to ")
    assert last == ("100", "training ends", "95", "yes")


def test_rounds_give_a_ticket_each_and_late_reset_only_the_last() -> None:
    assert {row[1:] for row in events("imp")} >= {
        ("prune, then rewind", "20", "yes"),
        ("prune, then rewind", "96.48", "yes"),
    }
    *rounds, last = events("mehta")
    assert {row[1] for row in rounds} == {"prune"}
    assert last[1:] == ("prune, then rewind", "89.26", "yes")


def test_rounds_without_training_are_counted() -> None:
    course = courses(load_recipe("omp", ["draw.timeline.rounds=100", "draw.score=synflow"]), "omp", 100)[0]
    assert course_sections([course])[1].tables[0].rows == (("0", "prune 100 times, then rewind", "99", "yes"),)


def test_a_search_removes_prunes_and_brings_back() -> None:
    happened = [row[:3] for row in events("supertickets") if float(str(row[0])) <= 5]
    assert happened == [
        ("1", "remove idle channels", "0"),
        ("2", "remove idle channels", "0"),
        ("2.5", "prune", "10"),
        ("3", "remove idle channels", "10"),
        ("3.75", "reactivate all weights", "0"),
        ("4", "remove idle channels", "0"),
        ("5", "remove idle channels, then prune", "20"),
    ]
    last, end = events("supertickets")[-2:]
    assert last == ("25", "remove idle channels, then prune", "90", None)
    assert end == ("30", "training ends", "90", "yes")


def test_every_mark_of_an_action_can_be_drawn() -> None:
    assert {action.mark for action in Action.__subclasses__()} - {""} <= MARKS.keys()


def test_what_comes_before_and_after_the_draw_is_told() -> None:
    told = course_sections(courses(load_recipe("double-win"), "double-win", 100))[1].text
    assert re.search(r"Source \w+ is pretrained for \d+ epochs", told)
    assert "Then each ticket is transferred: " in told


@pytest.mark.parametrize("name", sorted(set(builtin_recipes()) - set(OPEN)))
def test_every_recipe_has_timelines(name: str) -> None:
    recipe = load_recipe(name)
    found = courses(recipe, name, 100)
    assert [course.way for course in found] == [None, *recipe.variants]
    overview, *rest = course_sections(found)
    assert len(overview.tables[0].rows) == len(rest) == len(found)
    assert all(section.tables[0].rows[-1][3] == "yes" for section in rest)  # it ends with a ticket


def test_a_sparsity_that_training_decides_is_not_passed_off_as_asked_for() -> None:
    overview, first, *_, last = course_sections(courses(load_recipe("str"), "str", 100))
    assert "weights or training decide. 90 % stands in for it." in first.text
    assert "stands in" not in last.text, "the variant `exact` asks for it"
    words = lanes_in_words(overview.lanes[0])
    assert "str: any sparsity at the end" in words
    assert "str: exact: 90 % at the end" in words
    assert overview.lanes[0].note == NOTE
    alone = course_sections(courses(load_recipe("str"), "str", 100)[:1])[0]
    assert alone.lanes[0].note == "", "nothing is left out"


def test_one_epoch_is_told_as_one() -> None:
    found = courses(load_recipe("omp", ["transfers.full.training.epochs=1"]), "omp", 100)
    assert "full for 1 epoch (" in found[0].after


def test_the_page_of_a_run_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/settings.json").write_text('{"verb": "run"}')
    assert (
        "run: contains other work, whose page would be lost"
        in Tickets(capsys, monkeypatch)("timeline gmp --out run").complaint
    )
    assert [path.name for path in Path("run").iterdir()] == ["settings.json"]


def test_variants_with_the_same_timeline_share_a_lane() -> None:
    (lanes,) = course_sections(courses(load_recipe("woodfisher"), "woodfisher", 100))[0].lanes
    assert [lane.name for lane in lanes.lanes] == ["woodfisher"]


def test_the_page_has_a_lane_for_each_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tickets = Tickets(capsys, monkeypatch)
    outcome = tickets("timeline gmp hydra --out seen")
    assert outcome.code == 0, outcome.err
    page = Path("seen/report.html").read_text()
    assert {"gmp", "hydra", "masks are learned", "prune", "ticket"} <= set(re.findall(r">([^<>\n]+)</text>", page))
    assert "prune, then rewind" in Path("seen/report.md").read_text()
    assert tickets("timeline gmp --out seen").code == 0  # what is ours is written again
    Path("seen/notes.txt").write_text("mine")
    Path("seen/summary.json").unlink()
    assert "did not write" in tickets("timeline gmp --out seen").complaint


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("timeline nothing", "no such recipe file"),
        ("timeline gmp --steps-per-epoch 0", "steps-per-epoch"),
        ("timeline gmp --set draw.timeline.start=50", "start < end <= epochs"),
        ("timeline gmp --set draw.score=learned", "gmp, draw: score 'learned' needs parametrisation"),
        ("timeline rigl --set draw.group=filter", "rigl, draw: this draw moves single weights"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    line: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in Tickets(capsys, monkeypatch)(line).complaint
