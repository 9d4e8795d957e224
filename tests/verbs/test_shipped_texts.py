"""A language model of every head, trained, shipped as a file, measured on it, and asked about texts in each form."""

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.shrinking.shrink import ShrinkReport
from tests.commands import Tickets
from tests.language import language_folder

PEOPLE, PLACES = ("ann", "bob", "carl", "dora"), ("paris", "rome", "oslo", "cairo")
FILLERS = ("then", "and so", "at last")


def sentence(number: int) -> tuple[str, str, str]:
    """A person, a place, and a sentence with both."""
    person, place = PEOPLE[number % 4], PLACES[number // 4 % 4]
    return person, place, f"{FILLERS[number % 3]} {person} went to {place} ."


def sentences() -> list[str]:
    return [sentence(number)[2] for number in range(96)]


def rows_of(kind: str) -> list[dict[str, Any]]:
    rows = []
    for number in range(96):
        person, place, text = sentence(number)
        start = text.index(place)
        tags = ["B-PER" if word == person else "B-LOC" if word == place else "O" for word in text.split()]
        rows.append(
            {
                "classification": {"text": text, "label": "north" if place in PLACES[:2] else "south"},
                "regression": {"text": text, "score": PEOPLE.index(person) + 0.5},
                "tags": {"tokens": text.split(), "tags": tags},
                "answers": {
                    "question": "where",
                    "context": text,
                    "answers": [{"text": place, "answer_start": start}],
                },
                "masked": {"text": text},
            }[kind]
        )
    return rows


KINDS = ("classification", "regression", "tags", "answers", "masked")
METRIC = {
    "classification": "accuracy",
    "regression": "Pearson correlation",
    "tags": "F1 of names",
    "answers": "F1 of answers",
    "masked": "perplexity",
}
ASKED: dict[str, list[Any]] = {
    "classification": ["then ann went to rome .", ("ann", "went to oslo"), ""],
    "regression": ["then ann went to rome .", "dora"],
    "tags": ["then ann went to rome .", ["dora", "unheard-of", "paris"]],
    "answers": [("where", "then ann went to rome ."), ("where", "so " * 60 + "bob went to paris .")],
    "masked": ["then ann [MASK] to rome .", "[MASK] so [MASK]"],
}
SETTINGS = {
    "epochs": 4,
    "batch_size": 16,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.003},
    "warmup": 0,
    "keep": "last",
}


def flat(value: Any) -> list[Any]:
    """Return the leaves of JSON, in order."""
    if isinstance(value, dict):
        return [*value, *flat(list(value.values()))]
    return [leaf for one in value for leaf in flat(one)] if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Shipped:
    result: rt.Transfer
    file: Path
    data: rt.DataSettings
    report: ShrinkReport


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shipped")


@pytest.fixture(scope="module")
def source(place: Path) -> rt.Source:
    (place / "corpus.txt").write_text("\n".join(["where", *sentences()]))
    return rt.load_source(
        "tiny/bert",
        weights="random",
        tokenizer=str(place / "corpus.txt"),
        vocabulary_size=300,
        preprocessing={"length": 32},
    )


@pytest.fixture(scope="module")
def shipped(source: rt.Source, place: Path) -> Any:
    """Return what gives the transfer of a kind and the files shrunk from it, each made once; in 8 bits too but one."""
    known: dict[str, Shipped] = {}
    ticket = rt.draw(source, sparsity=0.3)

    def of(kind: str) -> Shipped:
        if kind not in known:
            path = place / f"{kind}.{'txt' if kind == 'masked' else 'jsonl'}"
            lines = sentences() if kind == "masked" else map(json.dumps, rows_of(kind))
            path.write_text("\n".join(lines))
            data = rt.DataSettings(name=str(path), validation=0.1)
            result = rt.transfer(ticket, data, training=SETTINGS, seeds=(0,), folder=place / kind)
            int8 = None if kind == "masked" else {}
            report = rt.shrink(result, place / f"{kind}.onnx", int8=int8, rounds=3, length=8)
            known[kind] = Shipped(result, place / f"{kind}.onnx", data, report)
        return known[kind]

    return of


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_measured_beside_its_network(shipped, kind: str) -> None:
    made = shipped(kind)
    exported = rt.verify(made.result, exported=made.file).exported
    assert exported is not None
    (row,) = exported.rows
    assert row.measure == METRIC[kind]
    assert row.file == pytest.approx(row.network, abs=1e-4)
    found = rt.evaluate(made.file, made.data)
    assert found.score == METRIC[kind]
    assert math.isfinite(found.runs[0].standard)
    network = made.result.best.network
    assert found.runs[0].standard == pytest.approx(rt.evaluate(network, made.data).runs[0].standard, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_the_network_says_the_same(shipped, place: Path, kind: str) -> None:
    made = shipped(kind)
    wanted = flat(json.loads(rt.predict(made.result, ASKED[kind], top=3).to_json()))
    run = made.result.best
    for subject in (run, run.folder, made.result.folder, made.file, str(made.file)):
        given = flat(json.loads(rt.predict(subject, ASKED[kind], top=3).to_json()))
        assert given == [pytest.approx(one, abs=1e-3) if isinstance(one, float) else one for one in wanted], subject


@pytest.fixture(scope="module")
def sparse(shipped, place: Path) -> Any:
    """Return what gives the runtime file shrunk from the transfer of a kind, made once."""

    def of(kind: str) -> Path:
        if not (place / f"{kind}.rtk").exists():
            report = rt.shrink(shipped(kind).result, place / f"{kind}.rtk", rounds=3, length=8)
            assert report.export_difference < 1e-4
            assert report.machine.tokens == 8
        return place / f"{kind}.rtk"

    return of


@pytest.mark.parametrize("kind", KINDS)
def test_a_runtime_file_is_what_an_onnx_file_is(shipped, sparse, kind: str) -> None:
    made, file = shipped(kind), sparse(kind)
    wanted = flat(json.loads(rt.predict(made.file, ASKED[kind], top=3).to_json()))
    for subject in (file, rt.load_runtime(file)):
        given = flat(json.loads(rt.predict(subject, ASKED[kind], top=3).to_json()))
        assert given == [pytest.approx(one, abs=1e-3) if isinstance(one, float) else one for one in wanted]
    exported = rt.verify(made.result, exported=file).exported
    assert exported is not None
    (row,) = exported.rows
    assert (row.measure, row.file) == (METRIC[kind], pytest.approx(row.network, abs=1e-4))
    found, other = (rt.evaluate(one, made.data) for one in (file, made.file))
    assert (found.score, found.images) == (METRIC[kind], other.images)
    assert found.runs[0].standard == pytest.approx(other.runs[0].standard, abs=1e-4)


@pytest.mark.parametrize("kind", ["classification", "tags"])
def test_a_runtime_file_is_checked_against_its_network_on_real_texts(shipped, sparse, kind: str) -> None:
    made = shipped(kind)
    report = rt.check(sparse(kind), data=made.data.name, against=made.result)
    assert report.passes
    assert {row.engine.split()[0] for row in report.rows} == {"PyTorch", "ONNX", "the"}
    assert {row.images for row in report.rows} == {"random texts", made.data.name}
    assert report.nonzero < 0.9 * report.weights


def test_a_runtime_file_in_16_bits_is_scored_on_validation(shipped, tmp_path: Path) -> None:
    report = rt.shrink(shipped("tags").result, tmp_path / "half.rtk", rounds=3, length=8, half=True)
    assert [one.form for one in report.checks] == ["ticket", "half.rtk"]
    assert (report.checks[1].agreement or 0) > 0.98
    assert report.storage_difference > report.export_difference


def test_measures_are_taken_on_the_file_too(shipped, sparse, tmp_path: Path) -> None:
    made = shipped("classification")
    (tmp_path / "pairs.txt").write_text("rome oslo\nann bob\n")
    swaps = {"kind": "word-substitution", "synonyms": str(tmp_path / "pairs.txt"), "limit": 8}
    for file in (made.file, sparse("classification")):
        exported = rt.verify(made.result, exported=file, measures=["calibration", swaps]).exported
        assert exported is not None
        figures = {row.figure: row for row in exported.rows}
        assert {"ece", "substitution/robust"} <= figures.keys()
        assert all(row.file == pytest.approx(row.network, abs=1e-3) for row in exported.rows)
    with pytest.raises(rt.UserError, match="has no pixels, which pgd moves"):
        rt.verify(made.result, exported=made.file, robustness={})


def test_eight_bits_are_scored_on_validation_and_verified(shipped, place: Path) -> None:
    for kind in ("classification", "regression", "tags", "answers"):
        made = shipped(kind)
        report = made.report
        assert report.int8 is not None
        assert report.int8.file_bytes < report.shrunk.file_bytes
        assert [one.form for one in report.checks] == ["ticket", f"{kind}.onnx", f"{kind}-int8.onnx"]
        assert {one.noun for one in report.checks} == {"texts"}
        if kind == "regression":
            assert [one.agreement for one in report.checks] == [None] * 3
        else:
            assert report.checks[1].agreement == 1
            assert (report.checks[2].agreement or 0) > 0.9
        exported = rt.verify(made.result, exported=place / f"{kind}-int8.onnx").exported
        assert exported is not None
        # Numbers of a hardly trained network are all alike, so that rounding changes their order.
        near = 0.5 if kind == "regression" else 0.1
        assert exported.rows[0].file == pytest.approx(exported.rows[0].network, abs=near)
    given = rt.predict(place / "tags-int8.onnx", ASKED["tags"])
    assert given[0].words == ("then", "ann", "went", "to", "rome", ".")


def test_labels_are_ranked_and_numbers_are_numbers(shipped) -> None:
    labels = rt.predict(shipped("classification").file, ASKED["classification"], top=2)
    assert set(labels[1].classes) == {"north", "south"}
    assert sum(labels[2].probabilities) == pytest.approx(1)
    assert labels.notes == ("1 of 3 texts are empty",)
    numbers = rt.predict(shipped("regression").file, ASKED["regression"])
    assert numbers[0].value != numbers[1].value
    table = list(csv.DictReader(io.StringIO(numbers.to_csv())))
    assert [list(row) for row in table] == [["number", "text", "value"]] * 2
    assert float(table[1]["value"]) == pytest.approx(numbers[1].value, rel=1e-4)


def test_words_have_tags_and_questions_answers(shipped) -> None:
    tags = rt.predict(shipped("tags").file, ASKED["tags"])
    assert tags[0].words == ("then", "ann", "went", "to", "rome", ".")
    assert (tags[0].tags[1], tags[0].tags[4]) == ("B-PER", "B-LOC")
    assert tags[1].words == ("dora", "unheard-of", "paris"), "a word of several tokens has one tag"
    answers = rt.predict(shipped("answers").file, ASKED["answers"])
    for row in answers:
        assert row.context[row.start : row.start + len(row.answer)] == row.answer
    assert answers[0].answer == "rome"
    assert answers.notes == ("1 of 2 contexts are longer than 32 tokens: read in windows",)


def test_masks_are_filled(shipped) -> None:
    found = rt.predict(shipped("masked").file, ASKED["masked"], top=3)
    assert [len(row.words) for row in found] == [1, 2]
    assert all(len(words) == 3 for row in found for words in row.words)
    assert found[0].probabilities[0][0] >= found[0].probabilities[0][2]
    with pytest.raises(rt.UserError, match=r"text 2 has no \[MASK\] in its first 32 tokens"):
        rt.predict(shipped("masked").file, ["a [MASK]", "nothing to guess"])


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


def test_the_command_reads_lines_tables_and_texts(shipped, tickets, tmp_path: Path) -> None:
    file = shipped("classification").file
    texts = ["then ann went to rome .", "", "so " * 50 + "bob went to cairo ."]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    told = tickets(f"predict {file} {tmp_path}/texts.txt --out {tmp_path}/out.csv")
    assert told.code == 0
    assert told.err.splitlines() == [
        "note: 1 of 3 texts are empty",
        "note: 1 of 3 texts are longer than 32 tokens and are cut there",
    ]
    table = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [row["number"] for row in table] == ["1", "2", "3"]
    assert table[0]["text"] == texts[0]
    assert len(table[2]["text"]) == 60
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (tmp_path / "texts.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts))
    for name in ("texts.jsonl", "texts.csv"):
        again = tickets(f"predict {file} {tmp_path}/{name} --out {tmp_path}/out.csv")
        assert again.code == 0, "its own table is written over"
        assert list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text()))) == table
    rows = json.loads(tickets(f"predict {file} 'then ann went to rome .' --format json").out)
    assert rows[0]["text"] == texts[0]
    assert rows[0]["predictions"][0]["class"] == table[0]["class"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("photo.png", "photo.png: is an image, but {file} takes texts; give a file that ends in .txt"),
        ("{folder}", "is a folder, but {file} takes texts"),
        ("nowhere", "nowhere: no such file or folder"),
        ("none.txt", "none.txt: there are no texts"),
        ("bare.csv", "bare.csv: has the columns comment, stars; call the texts `text`"),
        ("bytes.txt", "bytes.txt: is not a text file: it contains zero bytes"),
    ],
)
def test_other_things_are_refused_in_one_line(shipped, tickets, tmp_path: Path, given: str, message: str) -> None:
    file = shipped("classification").file
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / "none.txt").write_text("")
    (tmp_path / "bare.csv").write_text("comment,stars\nfine,3\n")
    (tmp_path / "bytes.txt").write_bytes(b"a\0b")
    path = given.format(folder=tmp_path) if "{" in given or given == "nowhere" else f"{tmp_path}/{given}"
    assert message.format(file=file) in tickets(f"predict {file} {path}").complaint


def test_texts_of_another_kind_and_images_are_refused(shipped, tmp_path: Path) -> None:
    def complaint(subject: Any, given: Any) -> str:
        with pytest.raises(rt.UserError) as refused:
            rt.predict(subject, given)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert "finds answers to a question in its context; give pairs" in complaint(shipped("answers").file, "ann is here")
    assert "labels the words of single texts" in complaint(shipped("tags").file, [("ann", "bob")])
    assert "takes texts, not a Tensor" in complaint(shipped("tags").file, torch.zeros(1, 3, 8, 8))
    (tmp_path / "lines.txt").write_text("ann\n")
    network = rt.load_source("cifar/resnet8", weights="random", num_classes=3, preprocessing={"size": 8}).network
    assert "lines.txt: holds texts, but" in complaint(network, tmp_path / "lines.txt")
    with pytest.raises(rt.UserError, match="gives 2 classes"):
        rt.evaluate(shipped("classification").file, shipped("tags").data)


def test_a_model_without_a_head_has_nothing_to_say(tmp_path: Path) -> None:
    folder = language_folder(tmp_path / "bert", head="none")
    with pytest.raises(rt.UserError, match="the weights came without a head, so it cannot predict"):
        rt.predict(rt.load_source(str(folder)), ["a cat"])


def test_names_of_classes_come_from_transformers_too(tmp_path: Path) -> None:
    folder = language_folder(tmp_path / "bert", id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1})
    assert set(rt.predict(rt.load_source(str(folder)), ["a cat"], top=2)[0].classes) == {"bad", "good"}
