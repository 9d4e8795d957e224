"""JSON files: SQuAD's layout, or a list of objects (.json)."""

import json
from collections.abc import Iterator
from pathlib import Path

from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.forms.shards import shards_at
from robust_tickets.data.forms.text_files import TextRow, read_rows, read_text
from robust_tickets.foundation.errors import UserError

ENDING = ".json"


def rows_of_file(path: Path) -> Iterator[TextRow]:
    """Yield the objects of a list, or the questions of SQuAD's articles.

    Raises:
        UserError: it is no JSON, or laid out in another way.
    """
    try:
        held = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON ({error})") from None
    listed = held.get("data") if isinstance(held, dict) else held
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UserError(f'{path}: is laid out neither as SQuAD, {{"data": [...]}}, nor as a list of objects')
    for number, one in enumerate(listed, 1):
        if "paragraphs" in one:
            yield from rows_of_article(path, number, one["paragraphs"])
        else:
            yield TextRow(f"object {number}", one)


def rows_of_article(path: Path, article: int, paragraphs: list[dict]) -> Iterator[TextRow]:
    """Yield the questions about the paragraphs of an article, which is counted from 1.

    Raises:
        UserError: something that SQuAD's layout has is missing.
    """
    try:
        for paragraph in paragraphs:
            for asked in paragraph["qas"]:
                found = {"context": paragraph["context"], "question": asked["question"], "answers": asked["answers"]}
                yield TextRow(f"question {asked.get('id', asked['question'])}", found)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}, article {article}: is not laid out as SQuAD ({error}); a paragraph has a context and qas, each "
            "with question and answers"
        ) from None


JSON_FILES = DataForm(
    "JSON files",
    lambda path: bool(shards_at(path, ENDING)),
    lambda place: read_rows(place, ENDING, rows_of_file),
    ending=ENDING,
    columns=frozenset({"label", "text"}),
    rank=2,
)
