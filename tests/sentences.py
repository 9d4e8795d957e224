"""Small files of texts, a small tokenizer, and data read with it."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.tokens.format import TokenFormat
from robust_tickets.tokens.vocabulary import trained_tokenizer

WORDS = "the a cat dog fox sat ran on under mat log good bad dull fine film plot who what where is it not"


@cache
def token_format(length: int = 32) -> TokenFormat:
    """Return a format of texts of up to this many tokens."""
    tokenizer = trained_tokenizer([WORDS] * 3, 400)
    names = ("input_ids", "attention_mask", "token_type_ids")
    return TokenFormat(tokenizer, length, tokenizer.size, 0, 4, names)


Rows = Sequence[dict[str, Any]]
Write = Callable[[Path, str, Rows], None]


def rows(count: int, seed: int = 0, **more: Any) -> Rows:
    """Sentences of two classes, with commas, quotes and tabs' neighbours in them."""
    said = ['it is "fine", mostly', "bad , dull"]
    return [{"sentence": f"{said[number % 2]} {number + seed}", "label": number % 2, **more} for number in range(count)]


def tsv(folder: Path, stem: str, held: Rows) -> None:
    lines = ["\t".join(held[0]), *("\t".join(map(str, row.values())) for row in held)]
    (folder / f"{stem}.tsv").write_text("\n".join(lines) + "\n")


def csv(folder: Path, stem: str, held: Rows) -> None:
    quoted = [",".join('"' + str(value).replace('"', '""') + '"' for value in row.values()) for row in held]
    (folder / f"{stem}.csv").write_text("\r\n".join([",".join(held[0]), *quoted]) + "\r\n")


def jsonl(folder: Path, stem: str, held: Rows) -> None:
    (folder / f"{stem}.jsonl").write_text("\n".join(map(json.dumps, held)) + "\n\n")


def folder_of(folder: Path, write: Write) -> Path:
    folder.mkdir()
    for stem, count, seed in (("train", 20, 0), ("dev", 6, 100), ("test", 8, 200)):
        write(folder, stem, rows(count, seed))
    return folder


def read(data: Any, **settings: Any) -> DataSplits:
    if isinstance(data, Path):
        data = DataSettings(name=str(data), **settings)
    return load_data(data, tokens=token_format())
