"""Questions about contexts: SQuAD's layout, windows, and where answers are in them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from robust_tickets.data.batches import batches
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from tests.sentences import token_format

Asked = tuple[str, str, list[str]]
"""Context, question, answers."""


def asked(count: int, long: bool = False) -> list[Asked]:
    filler = "the dog ran on the log . " * (8 if long else 0)
    contexts = [f"{filler}The cat number {n} sat under mat {n} . {filler}" for n in range(count)]
    return [(context, f"where is cat {n}", [f"under mat {n}", f"mat {n}"]) for n, context in enumerate(contexts)]


def squad(path: Path, held: list[Asked], wrong: int = 0) -> Path:
    """Write SQuAD's layout; the first `wrong` answers do not occur in their contexts."""
    paragraphs = []
    for number, (context, question, answers) in enumerate(held):
        texts = ["on the moon"] if number < wrong else answers
        said = [{"text": text, "answer_start": max(0, context.find(text))} for text in texts]
        paragraphs.append({"context": context, "qas": [{"id": f"q{number}", "question": question, "answers": said}]})
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "Cats", "paragraphs": paragraphs}]}))
    return path


def columns(held: list[Asked]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(number),
            "title": "Cats",
            "context": context,
            "question": question,
            "answers": {"text": answers, "answer_start": [context.find(text) for text in answers]},
        }
        for number, (context, question, answers) in enumerate(held)
    ]


def read(data: Any, length: int = 64, **settings: Any) -> DataSplits:
    if isinstance(data, Path):
        data = DataSettings(name=str(data), **settings)
    return load_data(data, tokens=token_format(length))


def spoken(splits: DataSplits, index: int) -> tuple[str, list[str]]:
    """What the span of a window says, and the right answers."""
    _, target = splits.train[index]
    first, last = target["span"].tolist()
    places = target["places"]
    said = target["context"][places[first, 0] : places[last, 1]] if first else ""
    return said.strip(), target["answers"]


def test_every_form_gives_the_same_questions(tmp_path: Path) -> None:
    held = asked(20)
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, columns(held))))
    Dataset.from_list(columns(held)).save_to_disk(tmp_path / "c")
    forms = [squad(tmp_path / "a.json", held), tmp_path / "b.jsonl", tmp_path / "c", columns(held)]
    read_forms = [read(form) for form in forms]
    assert len({splits.digest for splits in read_forms}) == 1
    splits = read_forms[0]
    assert (splits.target_kind, splits.classes) == ("answers", ())
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [14, 2, 4]
    for index in range(len(splits.train)):
        said, answers = spoken(splits, index)
        assert said == answers[0]


def test_squad_s_files_are_its_parts(tmp_path: Path) -> None:
    squad(tmp_path / "train-v1.1.json", asked(20))
    squad(tmp_path / "dev-v1.1.json", asked(6))
    splits = read(tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [18, 2, 6]


def test_long_contexts_are_windows_of_their_questions_alone(tmp_path: Path) -> None:
    splits = read(squad(tmp_path / "set.json", asked(20, long=True)), length=48, stride=12)
    assert "20 of 20 contexts are longer than the network reads, and are read in windows" in splits.notes
    groups = [
        set(part.inputs.questions[part.indices].tolist()) for part in (splits.train, splits.validation, splits.test)
    ]
    assert [len(group) for group in groups] == [14, 2, 4]
    assert len(set.union(*groups)) == 20
    found: dict[int, list[str]] = {}
    for index in range(len(splits.train)):
        inputs, target = splits.train[index]
        assert len(inputs["input_ids"]) <= 48
        said, answers = spoken(splits, index)
        assert said in ("", answers[0])
        found.setdefault(int(target["question"]), []).append(said)
    assert all(len(windows) > 2 and any(windows) for windows in found.values())
    # Every character of a context stands in some window, and neighbours share their stride.
    windows = splits.train.inputs
    mine = (windows.questions == int(splits.train.indices[0])).nonzero().flatten().tolist()
    places = [windows.places_of(index) for index in mine]
    inner = [place[place[:, 0] >= 0] for place in places]
    for before, after in pairwise(inner):
        assert torch.equal(before[-12:], after[:12])


def test_windows_share_half_of_their_context_at_most(tmp_path: Path) -> None:
    usual, most = (
        read(squad(tmp_path / "set.json", asked(20, long=True)), length=48, stride=stride) for stride in (20, 128)
    )
    assert len(most.train) < 1.5 * len(usual.train)


def test_batches_hold_what_is_needed_to_judge(tmp_path: Path) -> None:
    splits = read(squad(tmp_path / "set.json", asked(20, long=True)), length=48, stride=12)
    batch = next(iter(batches(splits.train, batch_size=6, seed=0)))
    length = batch.inputs["input_ids"].shape[1]
    assert batch.targets["places"].shape == (6, length, 2)
    assert batch.targets["span"].shape == (6, 2)
    assert int(batch.targets["span"].max()) < length
    assert [len(batch.targets[name]) for name in ("context", "answers", "question")] == [6, 6, 6]
    assert bool((batch.targets["places"][batch.inputs["attention_mask"] == 0] == -1).all())
    half = batch.between(0, 3)
    assert (half.targets["places"].shape[0], len(half.targets["answers"])) == (3, 3)


def test_a_question_too_long_for_its_context_is_cut(tmp_path: Path) -> None:
    held = [(context, "where " * 100, answers) for context, _, answers in asked(20)]
    splits = read(squad(tmp_path / "set.json", held), length=32, stride=100)
    assert int(splits.train.lengths.max()) <= 32
    assert any(spoken(splits, index)[0] for index in range(len(splits.train)))


def test_answers_that_do_not_occur_are_counted_and_not_trained_on(tmp_path: Path) -> None:
    splits = read(squad(tmp_path / "set.json", asked(20), wrong=3))
    assert "3 answers of the train part do not occur in their contexts, left out" in splits.notes
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 17
    folder = tmp_path / "parts"
    folder.mkdir()
    squad(folder / "train.json", asked(20))
    squad(folder / "test.json", asked(8), wrong=2)
    parted = read(folder)
    assert len(parted.test) == 8
    assert "2 answers of the test part do not occur in their contexts, which nobody can find" in parted.notes


def test_an_answer_that_stands_elsewhere_than_said_is_found(tmp_path: Path) -> None:
    rows = columns(asked(20))
    for row in rows:
        row["answers"]["answer_start"] = [0, 0]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    splits = read(tmp_path / "set.jsonl")
    assert all(spoken(splits, index)[0] == spoken(splits, index)[1][0] for index in range(len(splits.train)))


def test_a_list_of_objects_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps([{"text": f"a cat {n}", "label": n % 2} for n in range(20)]))
    assert read(tmp_path / "set.json").classes == ("0", "1")


MISTAKES = {
    "no JSON": ("{", r"a\.json: is not valid JSON"),
    "another layout": ('{"version": 1}', r"a\.json: is laid out neither as SQuAD"),
    "a paragraph alone": ('{"data": [{"paragraphs": [{"context": "a"}]}]}', "article 1: is not laid out as SQuAD"),
    "no answer": (
        '{"data": [{"paragraphs": [{"context": "a", "qas": [{"id": "x", "question": "b", "answers": []}]}]}]}',
        r"question x: has no answer; questions that have none \(SQuAD 2\.0\) are not supported",
    ),
    "no text": (
        '{"data": [{"paragraphs": [{"context": "a", "qas": [{"id": "x", "question": "b", "answers": [5]}]}]}]}',
        r"question x: has the answers '\[5\]'; give texts",
    ),
    "only lost answers": (
        '{"data": [{"paragraphs": [{"context": "a", "qas": [{"question": "b", "answers": ["moon"]}]}]}]}',
        "none of the answers of the train part occurs in its context",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    content, said = MISTAKES[mistake]
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
