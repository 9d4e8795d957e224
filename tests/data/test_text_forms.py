"""Texts with labels, from every form of file; plain text; Hugging Face's data sets and the user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from robust_tickets.data.readers import read as read_as_they_are
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from tests.sentences import Rows, Write, csv, folder_of, jsonl, read, rows, tsv
from tests.shared_data import SHARED, needs_shared


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "huggingface")


def parquet(folder: Path, stem: str, held: Rows) -> None:
    Dataset.from_list(list(held)).to_parquet(folder / f"{stem}.parquet")


writers = pytest.mark.parametrize("write", [tsv, csv, jsonl, parquet])


def sizes(splits: DataSplits) -> list[int]:
    return [len(splits.train), len(splits.validation), len(splits.test)]


def held(splits: DataSplits) -> set[tuple[Any, Any]]:
    """Every text with its target."""
    found = set[tuple[Any, Any]]()
    for part in (splits.train, splits.validation, splits.test):
        for index in part.indices.tolist():
            target = part.targets.single(index, part.fit, True)
            found.add((part.inputs.texts[index], splits.classes[target] if splits.classes else target))
    return found


@writers
def test_a_folder_of_tables_has_the_parts_that_its_files_are_called_by(tmp_path: Path, write: Write) -> None:
    splits = read(folder_of(tmp_path / "set", write))
    assert (splits.name, splits.classes, splits.target_kind, sizes(splits)) == ("set", ("0", "1"), "class", [20, 6, 8])
    everything = [row for count, seed in ((20, 0), (6, 100), (8, 200)) for row in rows(count, seed)]
    assert held(splits) == {(row["sentence"], str(row["label"])) for row in everything}
    assert (splits.test.lengths[1:] >= splits.test.lengths[:-1]).all()
    first = int(splits.train.indices[0])
    shown = splits.fit.tokenizer.decode(splits.train[0][0]["input_ids"].tolist())
    assert shown.strip() == splits.train.inputs.texts[first]


@writers
def test_a_single_file_is_divided(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "reviews", rows(40))
    (file,) = (path for path in tmp_path.iterdir() if path.is_file())
    splits = read(file)
    assert (splits.name, sizes(splits)) == ("reviews", [28, 4, 8])
    assert "test is a fixed 20 % of each class, the same for every seed" in splits.notes
    assert "validation is 10 % of the training texts used" in splits.notes
    assert sizes(read(file, per_class=5)) == [8, 2, 8]
    assert DataSettings(name=str(file), text="sentence") != DataSettings(name=str(file))


def test_every_form_of_the_same_texts_is_the_same_data(tmp_path: Path) -> None:
    digests = {read(folder_of(tmp_path / write.__name__, write)).digest for write in (tsv, csv, jsonl, parquet)}
    assert len(digests) == 1
    other = folder_of(tmp_path / "other", tsv)
    tsv(other, "train", rows(20, 1))
    assert read(other).digest not in digests


@writers
def test_pairs_are_found_by_their_names_or_named(tmp_path: Path, write: Write) -> None:
    pairs = [
        {"idx": n, "question": f"who is it {n}", "sentence": f"it is a cat {n}", "verdict": "yes" if n % 2 else "no"}
        for n in range(40)
    ]
    write(tmp_path, "pairs", pairs)
    (file,) = (path for path in tmp_path.iterdir() if path.is_file())
    splits = read(file, label="verdict")
    assert splits.classes == ("no", "yes")
    assert ("who is it 3", "it is a cat 3") in {text for text, _ in held(splits)}
    inputs = splits.train[0][0]
    assert inputs["token_type_ids"].unique().tolist() == [0, 1]
    swapped = read(file, label="verdict", text=("sentence", "question"))
    assert ("it is a cat 3", "who is it 3") in {text for text, _ in held(swapped)}
    alone = read(file, label="verdict", text="sentence")
    assert "it is a cat 3" in {text for text, _ in held(alone)}


@writers
def test_decimals_are_numbers_and_no_classes(tmp_path: Path, write: Write) -> None:
    scored = [{"sentence1": f"a cat {n}", "sentence2": f"a dog {n}", "score": n / 4} for n in range(40)]
    write(tmp_path, "similar", scored)
    (file,) = (path for path in tmp_path.iterdir() if path.is_file())
    splits = read(file)
    assert (splits.target_kind, splits.classes, sizes(splits)) == ("number", (), [29, 3, 8])
    assert "test is a fixed 20 % of its texts, the same for every seed" in splits.notes
    assert {target for _, target in held(splits)} == {n / 4 for n in range(40)}
    batch = splits.train.targets.fitted(splits.train.indices[:3], splits.fit, True)
    assert (batch.dtype, batch.shape) == (torch.float32, (3,))


def test_whole_numbers_beside_decimals_are_numbers(tmp_path: Path) -> None:
    scores = [n if n % 2 else n + 0.5 for n in range(9)]
    tsv(tmp_path, "set", [{"text": f"it is {score}", "score": score} for score in scores])
    assert {target for _, target in held(read(tmp_path / "set.tsv"))} == set(scores)


def test_empty_and_long_texts_are_counted(tmp_path: Path) -> None:
    texts = ["", " ", "a cat " * 40, *(f"a cat {n}" for n in range(37))]
    jsonl(tmp_path, "set", [{"text": text, "label": n % 2} for n, text in enumerate(texts)])
    splits = read(tmp_path / "set.jsonl")
    assert "2 of 40 texts are empty" in splits.notes
    assert "1 of 40 texts are longer than 32 tokens and are cut there" in splits.notes
    assert int(splits.train.lengths.max()) <= 32


def test_glue_s_test_part_without_labels_is_left_out(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", tsv)
    (folder / "test.tsv").write_text("index\tsentence\n" + "".join(f"{n}\ta cat\n" for n in range(8)))
    splits = read(folder)
    assert sizes(splits)[2] == 6
    assert {"the test part has no labels: left out", "the set's validation part serves as test"} <= set(splits.notes)
    tsv(folder, "test", [{**row, "label": -1} for row in rows(8)])
    assert sizes(read(folder)) == sizes(splits)


def test_a_file_without_header_has_the_columns_of_the_others(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", tsv)
    lines = (folder / "dev.tsv").read_text().splitlines()
    whole = read(folder).digest
    (folder / "dev.tsv").write_text("\n".join(lines[1:]) + "\n")
    splits = read(folder)
    assert splits.digest == whole
    assert "no header line in dev.tsv: its columns are those of the other files" in splits.notes


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_text(tmp_path: Path) -> None:
    tsv(tmp_path, "set", rows(20))
    before = read(tmp_path / "set.tsv")
    content = (tmp_path / "set.tsv").read_text().replace("\n", "\r\n")
    (tmp_path / "set.tsv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert read(tmp_path / "set.tsv").digest == before.digest


def test_texts_in_quotes_may_hold_lines_and_be_long(tmp_path: Path) -> None:
    long = "a cat, " * 40_000
    body = "".join(f'"first\nsecond ""{n}""",{n % 2}\n' for n in range(20)) + f'"{long}",1\n'
    (tmp_path / "set.csv").write_text("text,label\n" + body)
    texts = {text for text, _ in held(read(tmp_path / "set.csv"))}
    assert 'first\nsecond "3"' in texts
    assert long in texts


def test_other_line_separators_are_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "set.tsv").write_text("text\tlabel\n" + "".join(f"a\u2028cat\x0c{n}\t{n % 2}\n" for n in range(20)))
    assert "a\u2028cat\x0c3" in {text for text, _ in held(read(tmp_path / "set.tsv"))}


def test_whole_numbers_in_use_are_the_classes(tmp_path: Path) -> None:
    tsv(tmp_path, "set", [{"review": f"it is {n}", "stars": 1 + n % 5} for n in range(50)])
    assert read(tmp_path / "set.tsv").classes == ("1", "2", "3", "4", "5")


def test_true_and_false_are_classes(tmp_path: Path) -> None:
    jsonl(tmp_path, "set", [{"question": "is it", "passage": f"it is {n}", "answer": n % 2 == 0} for n in range(20)])
    assert read(tmp_path / "set.jsonl").classes == ("false", "true")


# Plain text


def test_lines_of_plain_text_are_texts_with_hidden_words(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("\n".join(["the cat sat on the mat"] * 200 + ["", "  "]))
    splits = read(tmp_path / "novel.txt")
    assert (splits.target_kind, splits.name) == ("hidden-words", "novel")
    assert sum(sizes(splits)) > 20


def test_a_corpus_in_several_files_has_the_parts_that_are_named_and_trains_on_the_rest(tmp_path: Path) -> None:
    for name, count in (("brown", 300), ("novels", 100), ("wiki_valid", 60), ("wiki_test", 80)):
        (tmp_path / f"{name}.txt").write_text("\n".join([f"{name} the cat sat on the mat"] * count))
    (tmp_path / "README.md").write_text("About these texts.")
    splits = read(tmp_path)
    assert "a corpus of 4 files: train: brown.txt, novels.txt; validation: wiki_valid.txt; test: wiki_test.txt" in (
        splits.notes
    )
    assert sizes(splits)[0] > sizes(splits)[2] > sizes(splits)[1] > 0


def test_notes_beside_other_data_are_no_corpus(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", tsv)
    whole = read(folder)
    (folder / "readme.txt").write_text("About these tables.")
    assert read(folder).digest == whole.digest
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "about.txt").write_text("Photographs.")
    (tmp_path / "images" / "1.png").write_bytes(b"")
    with pytest.raises(UserError, match="contains images, but the network takes texts"):
        read(tmp_path / "images")


def test_a_column_alone_is_plain_text(tmp_path: Path) -> None:
    Dataset.from_dict({"text": ["the cat sat on the mat"] * 200}).save_to_disk(tmp_path / "corpus")
    assert read(tmp_path / "corpus").target_kind == "hidden-words"
    jsonl(tmp_path, "pages", [{"url": f"page {n}", "text": "the cat sat on the mat"} for n in range(100)])
    with pytest.raises(UserError, match=r"name the label column with data\.label, or, if it is plain text, its"):
        read(tmp_path / "pages.jsonl")
    splits = read(tmp_path / "pages.jsonl", text="text")
    assert splits.target_kind == "hidden-words"
    assert "text is read as plain text, without labels" in splits.notes


# Hugging Face's data sets and the user's own


def test_names_of_classes_are_those_that_the_column_declares(tmp_path: Path) -> None:
    names = ClassLabel(names=["yes", "no"])
    features = Features({"premise": Value("string"), "hypothesis": Value("string"), "label": names})

    def table(labels: list[int]) -> Dataset:
        texts = [f"a cat {n}" for n in range(len(labels))]
        return Dataset.from_dict({"premise": texts, "hypothesis": texts, "label": labels}, features)

    held_back = DatasetDict({"train": table([0, 1, -1] * 10), "test": table([-1] * 8)})
    held_back.save_to_disk(tmp_path / "snli")
    for data in (tmp_path / "snli", dict(held_back)):
        splits = read(data)
        assert splits.classes == ("yes", "no")
        assert sum(sizes(splits)) == 20
        assert "rows of the train part without a label (-1), left out: 10" in splits.notes
        assert "the test part has no labels: left out" in splits.notes


class Sayings(TorchDataset[Any]):
    classes = ("bad", "good")

    def __init__(self, item: Callable[[int], Any], count: int = 40) -> None:
        self.item, self.count = item, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        if index >= self.count:
            raise IndexError
        return self.item(index)


ITEMS: dict[str, Callable[[int], Any]] = {
    "a pair": lambda n: (f"a cat {n}", n % 2),
    "a tensor": lambda n: (f"a cat {n}", torch.tensor(n % 2)),
    "a mapping": lambda n: {"text": f"a cat {n}", "label": n % 2},
    "two texts": lambda n: ((f"a cat {n}", "a dog"), n % 2),
}


@pytest.mark.parametrize("item", ITEMS)
def test_a_data_set_of_the_user_s_own_gives_texts_and_labels(item: str) -> None:
    splits = read(Sayings(ITEMS[item]))
    assert (splits.classes, sizes(splits), splits.name) == (("bad", "good"), [28, 4, 8], "Sayings")
    text = ("a cat 3", "a dog") if item == "two texts" else "a cat 3"
    assert (text, "good") in held(splits)
    loader = DataLoader(Sayings(ITEMS[item], 20), batch_size=3)
    assert sizes(read({"train": loader, "test": Sayings(ITEMS[item], 8)})) == [18, 2, 8]


def test_lists_of_pairs_are_data() -> None:
    pairs = [(f"it is {'good' if n % 2 else 'bad'} {n}", "good" if n % 2 else "bad") for n in range(40)]
    splits = read(pairs)
    assert (splits.classes, sizes(splits), splits.name) == (("bad", "good"), [28, 4, 8], "list")
    assert sizes(read((pairs[:30], pairs[30:]))) == [26, 4, 10]
    assert read([text for text, _ in pairs] * 20).target_kind == "hidden-words"


# Real data

REAL = {
    "sst2": ({"train": 60614, "validation": 6735, "test": 872}, ("0", "1")),
    "agnews": ({"train": 10001, "test": 7600}, ("Business", "Sci/Tech", "Sports", "World")),
    "cola": ({"train": 8551, "validation": 527, "test": 516}, ("0", "1")),
    "rte": ({"train": 2127, "validation": 363, "test": 277}, ("entailment", "not_entailment")),
    "movie_reviews": ({"train": 1600, "test": 400}, ("negative", "positive")),
}


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_real_sets_have_their_official_parts(name: str) -> None:
    assert SHARED is not None
    counts, classes = REAL[name]
    found = read_as_they_are(DataSettings(name=str(SHARED / "text" / name)))
    assert ({part: len(one) for part, one in found.parts.items()}, found.classes) == (counts, classes)


@needs_shared
def test_a_real_set_is_divided_and_tokenised() -> None:
    assert SHARED is not None
    splits = read(SHARED / "text" / "rte")
    assert sizes(splits) == [2127, 363, 277]
    assert "no header line in dev.tsv: its columns are those of the other files" in splits.notes


@needs_shared
def test_a_real_corpus_is_read() -> None:
    assert SHARED is not None
    found = read_as_they_are(DataSettings(name=str(SHARED / "text" / "corpus")))
    assert found.kind.kind == "hidden-words"
    assert found.notes == (
        "a corpus of 3 files: train: brown.txt; validation: wikitext2_valid.txt; test: wikitext2_test.txt",
    )
    assert {part: len(one) for part, one in found.parts.items()} == {"train": 57340, "validation": 2461, "test": 2891}
