"""Regression, tags of words, answers to questions: learned by a tiny BERT; what their losses count, and what not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.tasks.classification import Classification
from tests.told import DEEDS, PEOPLE, PLACES, asked, scored, tagged, told, written

TRAINING = {
    "epochs": 12,
    "batch_size": 16,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.002},
    "warmup": 0,
    "keep": "last",
}

LEARNED: dict[str, tuple[Callable[[Path], rt.DataSettings], str, float]] = {
    "regression": (scored, "Pearson correlation", 0.6),
    "token-classification": (tagged, "F1 of names", 0.8),
    "question-answering": (asked, "F1 of answers", 0.5),
}
"""Data, the metric, and what a tiny network gets to."""

kinds = pytest.mark.parametrize("kind", LEARNED)
Made = Callable[[str], rt.Transfer]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> rt.Source:
    corpus = tmp_path_factory.mktemp("corpus") / "words.txt"
    corpus.write_text("\n".join([" ".join((*PEOPLE, *PLACES, *DEEDS, "then a dog cat in where ."))] * 3))
    return rt.load_source("tiny/bert", weights="random", tokenizer=str(corpus), vocabulary_size=400)


@pytest.fixture(scope="module")
def made(source: rt.Source, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what gives the transfer of a kind of task, each once."""
    known: dict[str, rt.Transfer] = {}

    def of(kind: str) -> rt.Transfer:
        if kind not in known:
            data = LEARNED[kind][0](tmp_path_factory.mktemp("data"))
            known[kind] = rt.transfer(source, data, training=TRAINING, seeds=(0, 1))
        return known[kind]

    return of


@kinds
def test_it_is_learned(kind: str, made: Made) -> None:
    _, metric, reaches = LEARNED[kind]
    verdict = rt.verify(made(kind))
    assert verdict.score == metric
    assert verdict.standard.ticket > reaches


@kinds
def test_the_loss_is_the_mean_of_the_examples_losses_and_padding_counts_for_nothing(kind: str, made: Made) -> None:
    run = made(kind).runs[0]
    criterion, network = run.task.criterion(0.0), run.network.eval()
    batch = next(iter(batches(run.data.train, batch_size=8, seed=0)))
    with torch.no_grad():
        losses = criterion.aim.loss(network(batch.inputs), batch.targets)
        for index in range(8):
            inputs, target = next(iter(batches(run.data.train, batch_size=8, seed=0))).between(index, index + 1)
            length = int(inputs["attention_mask"].sum())
            bare = {name: values[:, :length] for name, values in inputs.items()}
            if kind == "token-classification":
                target = target[:, :length]
            torch.testing.assert_close(criterion(network(bare), target), losses[index], atol=1e-3, rtol=1e-3)


@kinds
def test_data_of_one_kind_are_refused_by_the_other_task(kind: str, source: rt.Source, tmp_path: Path) -> None:
    data = LEARNED[kind][0](tmp_path)
    with pytest.raises(rt.UserError, match=r"task: classification: \w+ .* texts?( a number)?; leave it out") as caught:
        rt.transfer(source, data, task="classification", seeds=(0,), folder=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_label_smoothing_has_no_meaning_for_numbers(source: rt.Source, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=r"training\.label_smoothing: 0\.1 has no meaning for numbers; leave it out"):
        rt.transfer(source, scored(tmp_path), training={**TRAINING, "label_smoothing": 0.1}, seeds=(0,))


def test_classification_may_be_judged_by_matthews_correlation(source: rt.Source, tmp_path: Path) -> None:
    rows = [{"text": " ".join(told(n)), "label": int(n % 4 == 0)} for n in range(128)]
    options: dict[str, Any] = {
        "task": {"kind": "classification", "judged_by": "matthews"},
        "training": {**TRAINING, "epochs": 4},
        "seeds": (0, 1),
    }
    verdict = rt.verify(rt.transfer(source, written(tmp_path / "set.jsonl", rows), **options))
    assert verdict.score == "Matthews correlation"
    assert verdict.standard.ticket > 0.5


def test_accuracy_is_not_written_so_that_older_runs_go_on() -> None:
    assert Classification().model_dump() == {"kind": "classification"}
    assert Classification().recorded() == {"segmentation": None}
    assert Classification(judged_by="f1").recorded()["task"] == {"kind": "classification", "judged_by": "f1"}
    assert json.loads(Classification(judged_by="f1").model_dump_json())["judged_by"] == "f1"
