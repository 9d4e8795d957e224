"""Words with tags: from CoNLL's columns, JSON lines, Hugging Face's data sets; asked for at each word's first token."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from robust_tickets.data.batches import batches
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from tests.sentences import token_format

TEXTS = [
    (["The", "cat", "saw", "Ann"], ["O", "O", "O", "B-PER"]),
    (["Bob", "Dogson", "sat", "on", "Matland"], ["B-PER", "I-PER", "O", "O", "B-LOC"]),
]
TAGS = ("B-LOC", "B-PER", "I-PER", "O")


def read(data: Any, length: int = 32, **settings: Any) -> DataSplits:
    if isinstance(data, Path):
        data = DataSettings(name=str(data), **settings)
    return load_data(data, tokens=token_format(length))


def conll(path: Path, count: int = 20, between: str = " ", columns: int = 1) -> Path:
    """Write texts with that many columns between word and tag."""
    lines = ["-DOCSTART- -X- O", ""]
    for number in range(count):
        words, tags = TEXTS[number % 2]
        lines += [between.join([word, *["x"] * columns, tag]) for word, tag in zip(words, tags, strict=True)]
        lines.append("")
    path.write_text("\n".join(lines))
    return path


def jsonl(path: Path, count: int = 20) -> Path:
    pairs = [TEXTS[number % 2] for number in range(count)]
    path.write_text("\n".join(json.dumps({"tokens": words, "tags": tags}) for words, tags in pairs))
    return path


def saved(path: Path, count: int = 20) -> Path:
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=list(TAGS)))})
    pairs = [TEXTS[number % 2] for number in range(count)]
    columns = {
        "tokens": [words for words, _ in pairs],
        "ner_tags": [[TAGS.index(tag) for tag in tags] for _, tags in pairs],
    }
    Dataset.from_dict(columns, features).save_to_disk(path)
    return path


def asked(splits: DataSplits) -> list[list[str]]:
    """The tags that are asked for, of every training text."""
    targets = [splits.train[index][1] for index in range(len(splits.train))]
    return [[splits.classes[tag] for tag in target.tolist() if tag >= 0] for target in targets]


def test_every_form_gives_the_same_words_and_tags(tmp_path: Path) -> None:
    forms = [
        conll(tmp_path / "a.conll"),
        conll(tmp_path / "b.txt", columns=2),
        conll(tmp_path / "c.bio", between="\t", columns=0),
        jsonl(tmp_path / "d.jsonl"),
        saved(tmp_path / "e"),
        [TEXTS[number % 2] for number in range(20)],
    ]
    read_forms = [read(form) for form in forms]
    assert len({splits.digest for splits in read_forms}) == 1
    splits = read_forms[0]
    assert (splits.target_kind, splits.classes) == ("tags", TAGS)
    tags = {tuple(words): tags for words, tags in TEXTS}
    assert asked(splits) == [tags[tuple(splits.train.inputs.texts[index])] for index in splits.train.indices.tolist()]


def test_a_tag_is_asked_for_at_the_first_token_of_its_word(tmp_path: Path) -> None:
    splits = read(jsonl(tmp_path / "set.jsonl"))
    core = splits.fit.tokenizer.core
    for index in range(4):
        inputs, target = splits.train[index]
        words = splits.train.inputs.texts[int(splits.train.indices[index])]
        pieces = [len(core.encode([word], is_pretokenized=True, add_special_tokens=False).ids) for word in words]
        assert max(pieces) > 1
        firsts = [1 + sum(pieces[:place]) for place in range(len(words))]
        assert (target >= 0).nonzero().flatten().tolist() == firsts
        assert len(target) == len(inputs["input_ids"])
    batch = next(iter(batches(splits.train, batch_size=8, seed=0)))
    assert batch.targets.shape == batch.inputs["input_ids"].shape
    assert bool((batch.targets[batch.inputs["attention_mask"] == 0] == -100).all())


def test_words_that_are_cut_are_not_asked_for(tmp_path: Path) -> None:
    splits = read(jsonl(tmp_path / "set.jsonl"), length=6)
    assert all(len(target) <= 6 for target in (splits.train[index][1] for index in range(4)))
    assert "20 of 20 texts are longer than 6 tokens and are cut there" in splits.notes


def test_parts_lie_in_files_of_a_folder(tmp_path: Path) -> None:
    for stem, count in (("train", 20), ("valid", 6), ("test", 8)):
        conll(tmp_path / f"{stem}.txt", count)
    splits = read(tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [20, 6, 8]
    with open(tmp_path / "test.txt", "a") as file:
        file.write("Acme x B-ORG\n")
    assert "tags that training lacks, so that nothing can learn them: B-ORG" in read(tmp_path).notes


def test_comments_and_texts_without_words_are_no_texts(tmp_path: Path) -> None:
    whole = read(conll(tmp_path / "a.conll")).digest
    content = (tmp_path / "a.conll").read_text()
    (tmp_path / "b.conll").write_text("# id 7 domain news\n" + content)
    assert read(tmp_path / "b.conll").digest == whole
    (tmp_path / "c.jsonl").write_text(jsonl(tmp_path / "d.jsonl").read_text() + '\n{"tokens": [], "tags": []}')
    splits = read(tmp_path / "c.jsonl")
    assert splits.digest == whole
    assert "texts of the train part without words, left out: 1" in splits.notes


def test_another_column_may_hold_words_or_tags(tmp_path: Path) -> None:
    rows = [{"forms": words, "kinds": tags, "tags": ["x"] * len(words)} for words, tags in TEXTS] * 10
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read(tmp_path / "set.jsonl", text="forms", label="kinds").classes == TAGS


def test_words_without_tags_beside_a_labelled_text_say_nothing(tmp_path: Path) -> None:
    rows = [{"text": f"a cat {n}", "tokens": ["a", "cat"], "label": n % 2} for n in range(20)]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read(tmp_path / "set.jsonl").target_kind == "class"


MISTAKES = {
    "more tags than words": (
        "a.jsonl",
        '{"tokens": ["a", "cat"], "tags": ["O", "O", "O"]}',
        r"a\.jsonl, line 1: has 2 words but 3 tags; give one tag for each word",
    ),
    "no tags": ("a.jsonl", '{"tokens": ["a"], "kinds": ["O"]}', "name the column that has a tag for each word with"),
    "no words": (
        "a.jsonl",
        '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": "a", "tags": ["O"]}',
        "2: should hold a list",
    ),
    "another width": (
        "a.conll",
        "a x O\ncat O\n",
        r"a\.conll, line 2: has 2 columns, but the first line has 3; separate them by spaces or tabs",
    ),
    "no tag": ("a.conll", "a\ncat\n", r"a\.conll, line 1: has 1 column, but a word and its tag are needed"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    file, content, said = MISTAKES[mistake]
    (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / file)
    assert "\n" not in str(caught.value)
