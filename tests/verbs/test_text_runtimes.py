"""Runtime files for texts under the verbs that take files: what is right passes, and what is wrong does not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import robust_tickets as rt
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.storage.file import read_file, write_file
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.latency import measure_latency
from robust_tickets.verbs import check as checking
from tests.commands import Tickets
from tests.runtime.text_graphs import LENGTH, VOCABULARY, stated, text_graph, text_tokens

CLASSES = ["bad", "fair", "good"]


def said(head: str) -> dict[str, str]:
    """What a file says that `tickets shrink` writes."""
    return stated(
        kind="tokens",
        vocabulary=VOCABULARY,
        mask=None,
        inputs=["input_ids", "attention_mask", "token_type_ids"],
        adaptation={"kind": "language", "head": head},
        classes=CLASSES,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def files(place: Path) -> dict[str, Path]:
    """A file that labels texts, and one that labels tokens."""
    for head in ("sequence", "token"):
        write_file(text_graph(by_token=head == "token", metadata=said(head)), place / f"{head}.rtk")
    return {head: place / f"{head}.rtk" for head in ("sequence", "token")}


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


@pytest.mark.parametrize("head", ["sequence", "token"])
def test_a_file_is_held_against_both_engines_on_texts_of_several_lengths(files: dict[str, Path], head: str) -> None:
    report = rt.check(files[head])
    assert report.passes
    assert report.noun == "texts"
    assert {row.engine.split()[0] for row in report.rows} == {"PyTorch", "ONNX"}
    assert {(row.images, row.count) for row in report.rows} == {("random texts", 15)}
    assert {row.batch for row in report.rows} == {1, 5}
    assert 0 < max(row.difference for row in report.rows) < 1e-4
    assert all("15 random texts, 1 or 5 per call" in line for line in report.lines())


def test_real_texts_are_tried_too(files: dict[str, Path], tickets: Tickets, tmp_path: Path) -> None:
    words = ["the dog runs fast .", "a cat", "the cat sleeps ."]
    rows = [{"text": f"{words[number % 3]} " * (number % 5 + 1), "label": number % 3} for number in range(60)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ran = tickets(f"check {files['sequence']} --data {tmp_path}/data.jsonl")
    assert ran.code == 0
    assert "test texts of" in ran.out
    assert "computes what the other engines compute" in ran.out


class Wrong(Runtime):
    """A runtime whose logits depend on what stands at padding, or are not the graph's."""

    factor, leaks = 1.0, False

    def __call__(self, inputs):
        added = 1e-3 * inputs["input_ids"][:, -1:] if self.leaks else 0
        return self.factor * super().__call__(inputs) + added


@pytest.mark.parametrize(("factor", "leaks"), [(1.0, False), (1.001, False), (1.0, True)])
def test_wrong_logits_and_padding_that_shows_are_found(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, factor: float, leaks: bool
) -> None:
    def opened(path: Path, threads: int) -> Runtime:
        runtime = Wrong(read_file(path), threads)
        runtime.factor, runtime.leaks = factor, leaks
        return runtime

    monkeypatch.setattr(checking, "open_runtime", opened)
    report = rt.check(files["sequence"])
    assert report.passes == (factor == 1 and not leaks)
    assert report.isolates_nan == (not leaks)
    assert ("what stands at padding" in report.sentence()) == leaks
    assert ("DIFFERS" in report.sentence()) == (not report.passes)


def test_texts_get_labels_from_the_file_and_from_what_it_was_loaded_to(
    files: dict[str, Path], tickets: Tickets, tmp_path: Path
) -> None:
    texts = ["the dog runs", ("a cat", "the dog"), "the " * 60]
    logits = torch.from_numpy(rt.load_runtime(files["sequence"])(texts))
    for subject in (files["sequence"], rt.load_runtime(files["sequence"])):
        found = rt.predict(subject, texts, top=3)
        for row, wanted in zip(found, logits.softmax(1), strict=True):
            assert row.classes[0] == CLASSES[int(wanted.argmax())]
            np.testing.assert_allclose(row.probabilities, wanted.sort(descending=True).values, atol=1e-6)
    assert found.notes == ("1 of 3 texts are longer than 40 tokens and are cut there",)
    (tmp_path / "texts.txt").write_text("the dog runs\n")
    rows = json.loads(tickets(f"predict {files['sequence']} {tmp_path}/texts.txt --format json").out)
    assert rows[0]["predictions"][0]["class"] == CLASSES[int(logits[0].argmax())]


def test_words_get_tags(files: dict[str, Path]) -> None:
    logits = rt.load_runtime(files["token"])(["the dog runs", "a"])
    (first, second) = rt.predict(files["token"], ["the dog runs", ["a"]])
    assert first.words == ("the", "dog", "runs")
    assert first.tags == tuple(CLASSES[index] for index in logits[0, 1:4].argmax(1))
    assert second.tags == (CLASSES[int(logits[1, 1].argmax())],)


def test_a_file_is_evaluated(files: dict[str, Path], tmp_path: Path) -> None:
    words = ["the dog runs fast .", "a cat", "the cat sleeps .", "dog dog"]
    rows = [{"text": words[number % 4], "label": CLASSES[number % 3]} for number in range(48)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = rt.evaluate(files["sequence"], rt.DataSettings(name=str(tmp_path / "data.jsonl")))
    labels = rt.predict(files["sequence"], [row["text"] for row in rows])
    right = [row["label"] == label.classes[0] for row, label in zip(rows, labels, strict=True)]
    assert found.images == 48
    assert found.runs[0].standard == pytest.approx(sum(right) / 48)


def test_tensors_of_tokens_give_logits_on_the_processor(files: dict[str, Path]) -> None:
    tokens = text_tokens([4, 9])
    given = load_artefact(files["token"]).predict({name: torch.from_numpy(value) for name, value in tokens.items()})
    assert (given.dtype, tuple(given.shape)) == (torch.float32, (2, 9, 3))
    np.testing.assert_array_equal(given.numpy(), rt.load_runtime(files["token"])(tokens))


def test_files_are_timed_on_tokens_by_name(files: dict[str, Path]) -> None:
    tokens = {name: torch.from_numpy(value) for name, value in text_tokens([12]).items()}
    rows = measure_latency({"one": files["sequence"], "other": files["token"]}, tokens, baseline="one", rounds=3)
    assert all(row.median_ms > 0 for row in rows)
    long = {name: torch.from_numpy(value) for name, value in text_tokens([LENGTH + 1]).items()}
    with pytest.raises(rt.UserError, match="have 41 tokens, but the network reads up to 40"):
        measure_latency({"one": files["sequence"]}, long, baseline="one", rounds=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adaptation": "null"}, "should be a mapping of settings"),
        ({"adaptation": '{"kind": "language", "head": "two"}'}, "head"),
        ({"inputs": "[]"}, "inputs"),
        ({"classes": "{}"}, "the names of its classes are not a list"),
    ],
)
def test_a_file_that_does_not_say_how_to_ask_it_is_refused(
    change: dict[str, str], message: str, tmp_path: Path
) -> None:
    write_file(text_graph(metadata={**said("sequence"), **change}), tmp_path / "model.rtk")
    with pytest.raises(rt.UserError, match=message) as caught:
        rt.predict(tmp_path / "model.rtk", ["the dog"])
    assert "\n" not in str(caught.value)


def test_a_file_without_a_tokenizer_can_be_checked_and_not_asked(tmp_path: Path) -> None:
    write_file(text_graph(metadata={}), tmp_path / "model.rtk")
    assert rt.check(tmp_path / "model.rtk").passes
    with pytest.raises(rt.UserError, match=r"has no tokenizer\.json in it, which its texts need"):
        rt.predict(tmp_path / "model.rtk", ["the dog"])
    with pytest.raises(rt.UserError, match=r"has no tokenizer\.json in it, which its texts need"):
        rt.check(tmp_path / "model.rtk", data="tale-moods")


def test_a_file_that_does_not_say_its_head_is_refused(tmp_path: Path) -> None:
    write_file(text_graph(metadata=stated(vocabulary=VOCABULARY, inputs=["input_ids"])), tmp_path / "model.rtk")
    with pytest.raises(rt.UserError, match="does not say which head it has; write it again with tickets shrink"):
        rt.predict(tmp_path / "model.rtk", ["the dog"])
