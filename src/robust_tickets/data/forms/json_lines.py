"""Texts in lines of JSON: one object a line (.jsonl)."""

import json
from collections.abc import Iterator
from pathlib import Path

from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.forms.shards import shards_at
from robust_tickets.data.forms.text_files import TextRow, read_rows, read_text
from robust_tickets.foundation.errors import UserError


def rows_of_json(path: Path) -> Iterator[TextRow]:
    """Yield the objects of a file; empty lines are skipped.

    Raises:
        UserError: a line is no JSON object.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            held = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: is not valid JSON ({error}); write one object a line") from None
        if not isinstance(held, dict):
            raise UserError(
                f"{path}, line {number}: holds a {type(held).__name__}, not an object; write one such as "
                '{"text": "...", "label": 0}'
            )
        yield TextRow(f"line {number}", held)


JSON_LINES = DataForm(
    "JSON lines",
    lambda path: bool(shards_at(path, ".jsonl")),
    lambda place: read_rows(place, ".jsonl", rows_of_json),
    ending=".jsonl",
    columns=frozenset({"label", "text"}),
    rank=1,
)
