"""Work in a folder: done once, refused when its settings changed, undone where a mistake ends it early."""

from pathlib import Path

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, write_text
from robust_tickets.foundation.steps import Step, first_difference

SETTINGS = {"verb": "draw", "settings": {"rate": 0.2, "seeds": [0, 1]}}


def test_a_step_is_done_once(tmp_path: Path) -> None:
    step = Step(tmp_path / "work", SETTINGS)
    assert not (tmp_path / "work").exists(), "looking claims nothing"
    assert step.result is None
    with step.claim():
        assert read_json(tmp_path / "work" / "settings.json") == SETTINGS
        write_text(tmp_path / "work" / "checkpoint.pt", "")
        step.finish({"score": 1})
    assert Step(tmp_path / "work", SETTINGS).result == {"score": 1}
    assert not (tmp_path / "work" / "checkpoint.pt").exists()


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    step = Step(None, SETTINGS)
    with step.claim():
        step.finish({"score": 1})
    assert step.result is None
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_refused_by_their_first_difference(tmp_path: Path) -> None:
    with Step(tmp_path, SETTINGS).claim():
        pass
    other = {"verb": "draw", "settings": {"rate": 0.2, "seeds": [0, 2]}}
    with pytest.raises(UserError, match=r"settings\.seeds\[1\] = 1, now 2; choose another folder"):
        Step(tmp_path, other)


def test_a_difference_is_told_in_a_few_words(tmp_path: Path) -> None:
    difference = first_difference({"recipe": {str(number): number for number in range(100)}}, {"recipe": None})
    assert difference is not None
    assert difference[0] == "recipe"
    assert len(difference[1]) <= 60
    assert first_difference(SETTINGS, {"settings": SETTINGS["settings"], "verb": "draw"}) is None
    assert first_difference({"a": [1]}, {"a": [1, 2]}) == ("a", "[1]", "[1, 2]")
    assert first_difference({"a": 1}, {"a": 1, "b": 2}) == ("b", "null", "2")


def work(folder: Path, file: str, error: BaseException) -> None:
    """Claim the folder, write a file in it, and fail."""
    with Step(folder, SETTINGS).claim():
        write_text(folder / file, "{}")
        raise error


def test_a_mistake_leaves_the_place_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        work(tmp_path / "deep" / "work", "metrics.jsonl", UserError("no"))
    assert list(tmp_path.iterdir()) == []
    write_text(tmp_path / "mine.txt", "the user's")
    with pytest.raises(UserError):
        work(tmp_path, "ticket/masks", UserError("no"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kept", ["checkpoint.pt", "result.json"])
def test_work_worth_keeping_survives_a_mistake(tmp_path: Path, kept: str) -> None:
    with pytest.raises(UserError):
        work(tmp_path / "run", f"seed-0/{kept}", UserError("diverged"))
    assert (tmp_path / "run" / "seed-0" / kept).exists()
    assert (tmp_path / "run" / "settings.json").exists()


def test_a_crash_or_an_interruption_keeps_everything(tmp_path: Path) -> None:
    for crash in (KeyboardInterrupt, RuntimeError):
        with pytest.raises(crash):
            work(tmp_path / crash.__name__, "masks", crash())
        assert (tmp_path / crash.__name__ / "settings.json").exists()
        assert (tmp_path / crash.__name__ / "masks").exists()


def test_named_steps_of_other_settings_live_side_by_side(tmp_path: Path) -> None:
    one, two = (Step.named(tmp_path, "test", {"part": part}) for part in ("a", "b"))
    assert one.folder is not None
    assert one.folder != two.folder
    assert one.folder.name.startswith("test-")
    assert Step.named(tmp_path, "test", {"part": "a"}).folder == one.folder
    assert Step.named(None, "test", {}).folder is None


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "")
    with pytest.raises(UserError, match="file: is a file; name a folder"):
        Step(tmp_path / "file", SETTINGS)


def test_a_launcher_of_several_processes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="is for one process, but a launcher started 2"):
        Step(tmp_path / "run", {})
    assert not (tmp_path / "run").exists()
