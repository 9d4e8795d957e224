"""Differences between recordings are found, and those that are meant are not; every recipe is recorded."""

import pytest
import yaml

from robust_tickets.recipe import builtin_recipes
from tests.behaviour.comparing import Added, Recording, Renamed, differences
from tests.behaviour.recording import FAMILIES

BEFORE: Recording = {
    "omp/run/metrics.jsonl": {},
    "omp/run/result.json": {"validation": 0.5, "classes.length": 2, "classes.0": "red", "classes.1": "green"},
}


def changed(**values: object) -> Recording:
    return {**BEFORE, "omp/run/result.json": {**BEFORE["omp/run/result.json"], **values}}


def test_equal_recordings_and_new_values_are_no_difference() -> None:
    assert list(differences(BEFORE, BEFORE)) == []
    assert list(differences(BEFORE, changed(steps=3))) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (changed(validation=0.5000000000000001), "omp/run/result.json: validation was 0.5 and is 0.5000000000000001"),
        (changed(**{"classes.length": 3}), "omp/run/result.json: classes.length was 2 and is 3"),
        ({**BEFORE, "omp/run/result.json": {}}, "omp/run/result.json: validation = 0.5 is lost"),
        ({"omp/run/result.json": BEFORE["omp/run/result.json"]}, "omp/run/metrics.jsonl: is no longer written"),
        ({**BEFORE, "omp/twice/metrics.jsonl": {}}, "omp/twice/metrics.jsonl: was not written before"),
    ],
)
def test_what_is_lost_changed_or_done_besides_is_told(now: Recording, told: str) -> None:
    assert told in list(differences(BEFORE, now))


def test_what_is_meant_is_no_difference() -> None:
    now = {"omp/run/metrics.jsonl": {}, "omp/run/result.json": {}, "omp/run/score.json": {}}
    now["omp/run/result.json"] = {
        name.replace("validation", "score"): value for name, value in BEFORE["omp/run/result.json"].items()
    }
    renamed = Renamed(r"(.*/result\.json):validation", r"\1:score", "it is no accuracy for every task")
    assert list(differences(BEFORE, now, (renamed,), (Added(r".*/score\.json", "new"),))) == []
    gone = Renamed(r".*:classes\.\d+", None, "they are elsewhere")
    assert (
        list(differences(BEFORE, {**BEFORE, "omp/run/result.json": {"validation": 0.5, "classes.length": 2}}, (gone,)))
        == []
    )
    moved = Renamed(r"omp/run/(.*)", r"omp/ran/\1", "folders have other names")
    there = {file.replace("/run/", "/ran/"): values for file, values in BEFORE.items()}
    assert list(differences(BEFORE, there, (moved,))) == []


def test_every_recipe_of_a_paper_is_recorded() -> None:
    families = yaml.safe_load(FAMILIES.read_text(encoding="utf-8"))["families"]
    extended = {family["recipe"].get("extends") for family in families.values() if "recipe" in family} - {None}
    # `demo` is no paper's, `double-win` extends `double-win-imp`, and families that extend nothing draw in one shot.
    assert extended == builtin_recipes().keys() - {"demo", "double-win-imp", "one-shot"}
