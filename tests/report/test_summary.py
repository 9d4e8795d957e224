"""The record: what is written is what is read, and a broken file is named."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from robust_tickets.foundation.errors import UserError
from robust_tickets.report.summary import load_summary, save_summary
from tests.report.examples import row, study


def test_a_saved_summary_loads_unchanged(tmp_path: Path) -> None:
    summary = study()
    save_summary(summary, tmp_path / "summary.json")
    assert load_summary(tmp_path / "summary.json") == summary


def _without_title(content: dict) -> None:
    del content["title"]


def _with_unknown_key(content: dict) -> None:
    content["rows"][2]["acuracy"] = 0.9


def _in_per_cent(content: dict) -> None:
    content["rows"][1]["standard_accuracy"] = 93.4


def _of_another_version(content: dict) -> None:
    content["version"] = 2


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (_without_title, "title"),
        (_with_unknown_key, "rows.2.acuracy"),
        (_in_per_cent, "rows.1.standard_accuracy"),
        (_of_another_version, "version"),
    ],
)
def test_a_broken_summary_is_one_line_naming_file_and_field(tmp_path: Path, spoil, where: str) -> None:
    path = tmp_path / "summary.json"
    save_summary(study(), path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        load_summary(path)
    message = str(caught.value)
    assert str(path) in message
    assert where in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"title": "x", "rows": 3}'])
def test_half_a_file_is_a_user_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"summary\.json"):
        load_summary(path)


def test_rows_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        row().seed = 3  # pyright: ignore[reportAttributeAccessIssue]
