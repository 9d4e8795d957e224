"""Regression, tags of words, answers to questions: each trained by a tiny BERT, resumed, measured and decided on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.files import read_json
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.kinds import task_for
from robust_tickets.training.loop import TrainingLoop

TRAINING = {
    "epochs": 12,
    "batch_size": 16,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.002},
    "warmup": 0,
    "keep": "last",
    "checkpoint_seconds": 0,
}

PEOPLE, PLACES, DEEDS = (
    ("ann", "bob", "carl", "dora"),
    ("paris", "rome", "oslo", "cairo"),
    ("met", "saw", "left", "likes"),
)


def told(number: int) -> tuple[str, str, str]:
    """A person, a deed and a place, others for every number."""
    return PEOPLE[number % 4], DEEDS[number // 4 % 4], PLACES[number // 16 % 4]


def written(path: Path, rows: list[dict[str, Any]]) -> rt.DataSettings:
    path.write_text("\n".join(map(json.dumps, rows)))
    return rt.DataSettings(name=str(path), validation=0.1)


def scored(folder: Path) -> rt.DataSettings:
    """Sentences scored by their person and place."""
    texts = [told(number) for number in range(192)]
    rows = [
        {"text": f"{person} {deed} {place}", "score": PEOPLE.index(person) + PLACES.index(place) / 2}
        for person, deed, place in texts
    ]
    return written(folder / "scored.jsonl", rows)


def tagged(folder: Path) -> rt.DataSettings:
    """Sentences in which people and places are names, some of two words."""
    rows = []
    for number in range(128):
        person, deed, place = told(number)
        words, tags = ["then", person, deed, "in", place], ["O", "B-PER", "O", "O", "B-LOC"]
        if number % 2:
            words, tags = [*words[:2], PEOPLE[number // 2 % 4], *words[2:]], [*tags[:2], "I-PER", *tags[2:]]
        rows.append({"tokens": words, "tags": tags})
    return written(folder / "tagged.jsonl", rows)


def asked(folder: Path) -> rt.DataSettings:
    """Sentences of which it is asked where something happened."""
    rows = []
    for number in range(128):
        person, deed, place = told(number)
        context = (
            f"then {person} {deed} a dog in {place} ." if number % 2 else f"in {place} then {person} {deed} a cat ."
        )
        rows.append(
            {
                "context": context,
                "question": "where",
                "answers": [{"text": place, "answer_start": context.index(place)}],
            }
        )
    return written(folder / "asked.jsonl", rows)


@dataclass(frozen=True)
class Row:
    kind: str
    data: Callable[[Path], rt.DataSettings]
    metric: str
    reaches: float
    """What a tiny network gets to."""


ROWS = [
    Row("regression", scored, "Pearson correlation", 0.8),
    Row("token-classification", tagged, "F1 of names", 0.8),
    Row("question-answering", asked, "F1 of answers", 0.5),
]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)


Made = Callable[[Row], tuple[rt.DataSettings, rt.Transfer]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> rt.Source:
    corpus = tmp_path_factory.mktemp("corpus") / "words.txt"
    corpus.write_text("\n".join([" ".join((*PEOPLE, *PLACES, *DEEDS, "then a dog cat in where ."))] * 3))
    return rt.load_source("tiny/bert", weights="random", tokenizer=str(corpus), vocabulary_size=400)


@pytest.fixture(scope="module")
def made(source: rt.Source, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what gives a row's data and its transfer, each once."""
    known: dict[str, tuple[rt.DataSettings, rt.Transfer]] = {}
    ticket = rt.draw(source, sparsity=0.3)

    def of(row: Row) -> tuple[rt.DataSettings, rt.Transfer]:
        if row.kind not in known:
            data, folder = row.data(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp(row.kind) / "run"
            known[row.kind] = data, rt.transfer(ticket, data, training=TRAINING, seeds=(0, 1), folder=folder)
        return known[row.kind]

    return of


@rows
def test_data_imply_it_and_it_is_learned_under_masks(row: Row, made: Made) -> None:
    _, result = made(row)
    for run in result.runs:
        assert task_for(run.data).model_dump()["kind"] == run.task.model_dump()["kind"] == row.kind
        state = run.network.plain_state()
        assert result.ticket is not None
        assert all(not bool(state[name][~mask].any()) for name, mask in result.ticket.masks.items())
    verdict = rt.verify(result)
    assert verdict.score == row.metric
    assert verdict.standard.ticket > row.reaches
    run = result.runs[0]
    metric = run.task.metric(run.data.classes)
    assert run.folder is not None
    (kept,) = [read_json(path / "result.json") for path in run.folder.glob("test-clean-*")]
    assert metric.value(metric.unpacked(kept)) == verdict.ticket_runs[0].standard


@rows
def test_a_killed_transfer_ends_bit_for_bit_alike(
    row: Row, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, result = made(row)
    train_step = TrainingLoop.train_step

    def killed(loop: TrainingLoop, batch: Batch) -> None:
        if loop.trainee.step == 7:
            raise KeyboardInterrupt
        train_step(loop, batch)

    options: dict[str, Any] = {"training": TRAINING, "seeds": (0,), "folder": tmp_path}
    assert result.ticket is not None
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            rt.transfer(result.ticket, data, **options)
    resumed = rt.transfer(result.ticket, data, **options).runs[0]
    ours, theirs = (run.network.plain_state() for run in (resumed, result.runs[0]))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@rows
def test_the_loss_is_the_mean_of_the_examples_losses_and_padding_counts_for_nothing(row: Row, made: Made) -> None:
    run = made(row)[1].runs[0]
    criterion, network = run.task.criterion(0.0), run.network.eval()
    batch = next(iter(batches(run.data.train, batch_size=8, seed=0)))
    with torch.no_grad():
        losses = criterion.aim.loss(network(batch.inputs), batch.targets)
        assert losses.shape == (8,)
        for index in range(8):
            alone = batch.between(index, index + 1)
            alone_loss = criterion(network(alone.inputs), alone.targets)
            torch.testing.assert_close(alone_loss, losses[index], atol=1e-4, rtol=1e-4)


@rows
def test_label_data_are_refused_by_name(row: Row, source: rt.Source, tmp_path: Path) -> None:
    labelled = written(tmp_path / "labelled.jsonl", [{"text": "ann", "label": number % 2} for number in range(20)])
    said = f"task: {row.kind}: labelled labels whole texts; leave it out, or give"
    with pytest.raises(rt.UserError, match=said) as caught:
        rt.transfer(source, labelled, task=row.kind, seeds=(0,), folder=tmp_path / "run")
    assert "\n" not in str(caught.value)
    with pytest.raises(rt.UserError, match="task: classification: "):
        rt.transfer(source, row.data(tmp_path), task="classification", seeds=(0,), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_label_smoothing_has_no_meaning_for_numbers(source: rt.Source, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=r"training\.label_smoothing: 0\.1 has no meaning for numbers; leave it out"):
        rt.transfer(source, scored(tmp_path), training={**TRAINING, "label_smoothing": 0.1}, seeds=(0,))


def test_classification_may_be_judged_by_matthews_correlation(source: rt.Source, tmp_path: Path) -> None:
    data = written(tmp_path / "set.jsonl", [{"text": " ".join(told(n)), "label": int(n % 4 == 0)} for n in range(128)])
    task = {"kind": "classification", "judged_by": "matthews"}
    options = {"task": task, "training": {**TRAINING, "epochs": 4}, "seeds": (0, 1)}
    verdict = rt.verify(rt.transfer(source, data, **options, folder=tmp_path / "run"))
    assert verdict.score == "Matthews correlation"
    assert verdict.standard.ticket > 0.5


def test_accuracy_is_not_written_so_that_older_runs_go_on() -> None:
    assert Classification().model_dump() == {"kind": "classification"}
    assert Classification().recorded() == {"segmentation": None}
    assert Classification(judged_by="f1").recorded()["task"] == {"kind": "classification", "judged_by": "f1"}
    assert json.loads(Classification(judged_by="f1").model_dump_json())["judged_by"] == "f1"
