"""Folders of Hugging Face with a trained head: their names for classes count, in whatever order data have theirs."""

import math
from pathlib import Path
from statistics import median

import pytest
import torch

import robust_tickets as rt
from tests.commands import Tickets
from tests.language import WORDS, altered, language_folder
from tests.told import written

TEXTS = [f"{first} {second} {third}" for first in WORDS[:6] for second in WORDS[6:12] for third in WORDS[12:]]
BACKWARDS = {"id2label": {0: "POSITIVE", 1: "NEGATIVE"}, "label2id": {"POSITIVE": 0, "NEGATIVE": 1}}
TRAINING = {"epochs": 1, "batch_size": 16, "precision": "fp32", "warmup": 0, "keep": "last"}


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model whose names for its outputs are not in alphabetical order, and which gives both."""
    folder = language_folder(tmp_path_factory.mktemp("named") / "model", **BACKWARDS)
    odds = [math.log(one.probabilities[0] / one.probabilities[1]) for one in rt.predict(folder, TEXTS, top=2)]
    second = rt.predict(folder, TEXTS[:1])[0].classes[0] == "NEGATIVE"

    def balance(state: dict[str, torch.Tensor]) -> None:
        state["classifier.bias"][int(second)] -= median(odds)

    altered(folder, balance)
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[tuple[str, str]]:
    """Return texts with what the model says of them."""
    found = rt.predict(folder, TEXTS)
    pairs = [(text, one.classes[0]) for text, one in zip(TEXTS, found, strict=True)]
    assert {name for _, name in pairs} == {"POSITIVE", "NEGATIVE"}
    return pairs


def labelled(answers: list[tuple[str, str]], place: Path, **names: object) -> rt.DataSettings:
    return written(place / "labelled.jsonl", [{"text": text, "label": names[name]} for text, name in answers])


def test_a_raw_folder_predicts_by_its_own_names(folder: Path, tmp_path: Path, tickets: Tickets) -> None:
    (tmp_path / "texts.txt").write_text("the dog runs\na cat\n")
    done = tickets(f"predict {folder} {tmp_path / 'texts.txt'}")
    assert done.code == 0
    assert "POSITIVE" in done.out or "NEGATIVE" in done.out
    headless = language_folder(tmp_path / "headless", head="none")
    assert "weights came without a head" in tickets(f"predict {headless} {tmp_path / 'texts.txt'}").complaint


@pytest.mark.parametrize(
    "names",
    [
        {"POSITIVE": "POSITIVE", "NEGATIVE": "NEGATIVE"},
        {"POSITIVE": "positive", "NEGATIVE": "negative"},
        {"POSITIVE": 0, "NEGATIVE": 1},
    ],
    ids=["in another order", "in other letters", "numbered as the model does"],
)
def test_an_evaluation_pairs_outputs_with_classes_by_name(
    names: dict[str, object], folder: Path, answers: list[tuple[str, str]], tmp_path: Path
) -> None:
    data = labelled(answers, tmp_path, **names)
    assert rt.evaluate(folder, data).runs[0].standard == 1
    rt.export(folder, tmp_path / "model.onnx")
    assert rt.evaluate(tmp_path / "model.onnx", data).runs[0].standard == 1


def test_classes_that_the_model_does_not_know_are_refused_unless_they_are_said(
    folder: Path, answers: list[tuple[str, str]], tmp_path: Path
) -> None:
    data = labelled(answers, tmp_path, POSITIVE="good", NEGATIVE="bad")
    with pytest.raises(rt.UserError, match=r"does not know \(bad, good\); name them as it does \(POSITIVE, NEGATIVE\)"):
        rt.evaluate(folder, data)
    assert rt.evaluate(folder, data, classes=("good", "bad")).runs[0].standard == 1


def test_a_kept_head_needs_its_classes_in_its_order(
    folder: Path, answers: list[tuple[str, str]], tmp_path: Path
) -> None:
    named = labelled(answers, tmp_path / "named", POSITIVE="positive", NEGATIVE="negative")
    says = r"head: keep: the network's classes are POSITIVE, NEGATIVE, but labelled has negative, positive; name"
    with pytest.raises(rt.UserError, match=says):
        rt.transfer(folder, named, head="keep", training=TRAINING, seeds=(0,))
    numbered = labelled(answers, tmp_path / "numbered", POSITIVE=0, NEGATIVE=1)
    assert rt.transfer(folder, numbered, head="keep", training=TRAINING, seeds=(0,)).runs[0].network.class_names == (
        "POSITIVE",
        "NEGATIVE",
    )


def test_a_fresh_head_forgets_the_names_of_the_old_one(
    folder: Path, answers: list[tuple[str, str]], tmp_path: Path
) -> None:
    data = labelled(answers, tmp_path, POSITIVE="good", NEGATIVE="bad")
    source = rt.load_source(str(folder))
    assert rt.transfer(source, data, training=TRAINING, seeds=(0,)).runs[0].network.class_names is None
    # Pretraining goes on with a head that is for the data; this one is for others.
    made = rt.pretrain(source, data, epochs=1, batch_size=16, folder=tmp_path / "made")
    assert made.network.class_names is None
    assert rt.evaluate(tmp_path / "made", data).images > 0
    assert source.network.class_names == ("POSITIVE", "NEGATIVE")
