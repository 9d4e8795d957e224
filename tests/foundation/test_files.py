"""Files are whole or absent, and broken ones are named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import (
    given_path,
    read_json,
    remove_leftovers,
    write_atomic,
    write_bytes,
    write_json,
    write_text,
)


def test_what_fails_leaves_the_file_before(tmp_path: Path) -> None:
    place = tmp_path / "file"
    write_text(place, "before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        write_atomic(place, fail)
    assert place.read_text() == "before"
    assert list(tmp_path.iterdir()) == [place]


def test_folders_are_made_and_modes_are_ordinary(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "file", b"x")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("place", ["/proc/new/file", "/dev/null/file"])
def test_places_that_cannot_be_written_are_named(place: str) -> None:
    with pytest.raises(UserError, match=f"{place}: cannot be written"):
        write_text(place, "")


def test_a_folder_is_not_overwritten_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "folder", "")
    assert (tmp_path / "folder").is_dir()


def test_floats_survive_and_nan_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 0.1 + 0.2, "a": 1e-300})
    assert read_json(tmp_path / "x.json") == {"b": 0.1 + 0.2, "a": 1e-300}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert read_json(tmp_path / "x.json")["a"] == 1e-300


def test_broken_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "broken.json").write_bytes(b"\xff{")
    with pytest.raises(UserError, match=r"broken\.json: is not valid JSON"):
        read_json(tmp_path / "broken.json")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from robust_tickets.foundation.files import write_atomic\n"
        "write_atomic(Path(sys.argv[1]) / 'file', lambda path: os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    remove_leftovers(tmp_path)
    assert left.exists(), "it may belong to a process of the same training"
    os.utime(left, (0, 0))
    (tmp_path / ".hidden").touch()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_what_lies_there_by_that_very_name_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/elsewhere")
    meant = {"$HOME/a.png": "/elsewhere/a.png", "~/a.png": "/elsewhere/a.png", "a$NOTHING.png": "a$NOTHING.png"}
    assert {text: str(given_path(text)) for text in meant} == meant
    for text in meant:
        write_bytes(tmp_path / text, b"x")
        assert given_path(text) == Path(text)
