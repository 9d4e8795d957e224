"""The one line on each mistake in texts and their tables."""

from pathlib import Path
from typing import Any

import pytest

from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from tests.sentences import csv, folder_of, read, rows, token_format, tsv

MISTAKES: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "a wrong column": (
        "a.tsv",
        "sentence\tlabel\nfine\t1\n",
        {"text": "sentense"},
        r"a\.tsv: has no column 'sentense' \(data\.text\); its columns are sentence, label",
    ),
    "a wrong label column": (
        "a.csv",
        "sentence,label\nfine,1\n",
        {"label": "lable"},
        r"a\.csv: has no column 'lable' \(data\.label\); its columns are sentence, label",
    ),
    "no usual column": (
        "a.csv",
        "words,label\nfine,1\n",
        {},
        r"the columns words, label; name the text column with",
    ),
    "no label": ("a.csv", "text,opinion\nfine,1\n", {}, r"has the columns text, opinion; name the label column with"),
    "one column for both": (
        "a.csv",
        "text,label\nfine,1\n",
        {"label": "text", "text": "text"},
        r"the column text contains the texts; name the label column",
    ),
    "no header": ("a.tsv", "0\tfine\n1\tbad\n", {}, r"a\.tsv, line 1: should name the columns, but reads '0 \| fine'"),
    "a column twice": ("a.tsv", "text\ttext\tlabel\n", {}, r"a\.tsv, line 1: the column text comes twice"),
    "rows of another width": (
        "a.tsv",
        "text\tlabel\nfine\t1\nbad\tor\tnot\t0\n",
        {},
        r"a\.tsv, line 3: has 4 columns, but the first line names 2; columns are separated by tabs",
    ),
    "a comma without quotes": (
        "a.csv",
        "text,label\nfine, mostly,1\n",
        {},
        r"a\.csv, line 2: has 3 columns, but the first line names 2",
    ),
    "an open quotation": ("a.csv", 'text,label\n"fine,1\nbad,0\n', {}, r"a\.csv, line \d: is not valid CSV"),
    "a bad line of JSON": (
        "a.jsonl",
        '{"text": "fine", "label": 1}\n{"text": fine}\n',
        {},
        r"a\.jsonl, line 2: is not valid JSON",
    ),
    "no object": ("a.jsonl", '["fine", 1]\n', {}, r"a\.jsonl, line 1: holds a list, not an object"),
    "a row without label": (
        "a.jsonl",
        '{"text": "fine", "label": 1}\n{"text": "bad"}\n',
        {},
        r"a\.jsonl, line 2: has no 'label', which other rows have",
    ),
    "an empty label": ("a.tsv", "text\tlabel\nfine\t1\nbad\t\n", {}, r"a\.tsv, line 3: has no label; give one"),
    "a binary file": ("a.tsv", b"text\tlabel\nfine\0\t1\n", {}, r"a\.tsv: is not a text file: it contains zero bytes"),
    "another encoding": (
        "a.tsv",
        "text\tlabel\nfine\t1\nnaïve\t0\n".encode("latin-1"),
        {},
        r"a\.tsv, line 3: is not UTF-8 text",
    ),
    "numbers as texts": ("a.csv", "text,label\n1,fine\n2,bad\n", {}, r"'text' holds numbers in every row, not texts"),
    "a number as text": ("a.jsonl", '{"text": 5, "label": 1}\n', {}, r"a\.jsonl, line 1: 'text' is 5, not a text"),
    "names among decimals": (
        "a.csv",
        "text,label\nfine,1.5\nbad,low\n",
        {},
        r"a\.csv, line 3: has the label 'low', but other labels are numbers with decimals",
    ),
    "no rows": ("a.csv", "text,label\n", {}, r"a\.csv: contains no rows"),
    "nothing": ("a.tsv", "", {}, r"a\.tsv: is empty"),
    "no text": ("a.txt", " \n\n", {}, r"a\.txt: contains no text"),
    "a column of plain text": ("a.txt", "fine\n", {"text": "text"}, r"has no columns for data\.text to choose from"),
    "a size": ("a.tsv", "text\tlabel\nfine\t1\nbad\t0\n" * 4, {"size": 32}, r"`size` is for images; leave it out"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    file, content, settings, said = MISTAKES[mistake]
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / file, **settings)
    assert "\n" not in str(caught.value)


def test_a_label_that_training_lacks_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", tsv)
    tsv(folder, "dev", [{"sentence": "a cat", "label": "2"}])
    with pytest.raises(UserError, match="the validation part has classes that training lacks: 2"):
        read(folder)


def test_tables_of_two_kinds_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", tsv)
    csv(folder, "train", rows(20))
    with pytest.raises(UserError, match="contains TSV tables and CSV tables; keep files of one kind there"):
        read(folder)


def test_texts_for_an_image_network_and_images_for_a_text_network_are_refused(tmp_path: Path) -> None:
    tsv(tmp_path, "set", rows(40))
    with pytest.raises(UserError, match="contains texts, which need a network that takes texts"):
        load_data(DataSettings(name=str(tmp_path / "set.tsv")), size=32)
    with pytest.raises(UserError, match="contains images, but the network takes texts"):
        load_data("digits", tokens=token_format())


def test_texts_have_no_columns_where_images_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"digits: has no columns for data\.text to choose from; leave it out"):
        load_data(DataSettings(name="digits", text="text"))


def test_settings_of_texts_are_not_written_while_at_their_default() -> None:
    assert "text" not in DataSettings(name="digits").model_dump()
    assert DataSettings(name="set", text="review").model_dump(mode="json")["text"] == ["review"]
