"""Catastrophic overfitting is found where it happens, and only there."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.measures.metric import Accuracy
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.pruning.actions import Rewind
from robust_tickets.pruning.plans import Event, Plan
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.metrics import read_metrics
from robust_tickets.training.overfitting import OverfittingWatch, has_collapsed
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import TEN

TOO_LONG = {"kind": "fgsm-rs", "epsilon": 0.25, "step_size": 0.5}
"""FGSM-RS with a step of twice epsilon: what Wong et al. saw collapse."""


def trained(
    objective: dict[str, Any], epochs: int = 50, folder: Path | None = None, **data: Any
) -> tuple[Network, TrainingResult]:
    """Train a network of two wide convolutions without batch norm on 200 digits at 16 x 16."""
    splits = load_data(
        DataSettings.model_validate(
            {"name": "digits", "per_class": 20, "augmentation": "none", "validation": 0, **data}
        ),
        size=(16, 16),
    )
    training = Training.model_validate(
        {
            "epochs": epochs,
            "batch_size": 50,
            "objective": objective,
            "optimiser": {"kind": "sgd", "lr": 0.05, "weight_decay": 0},
            "schedule": "constant",
            "validate_every": 5,
            "precision": "fp32",
        }
    )
    with global_stream(0, "overfitting test"):
        body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 64, 10),
        )
    network = Network(body, Pixels(mean=(0.0,), std=(1.0,), size=(16, 16)), "5")
    batches = ImageBatches(splits, training, seed=0)
    plan = Plan(epochs * batches.per_epoch, ())
    return network, fit(Job(Trainable.of(network), batches, training, plan, 0, classes=TEN, folder=folder))


def test_a_step_that_is_too_long_collapses_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "robust_tickets"):
        _, result = trained(TOO_LONG, epochs=60, folder=tmp_path)
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert rows == result.history
    assert 2 * rows[-1]["pgd_accuracy"] < max(row["pgd_accuracy"] for row in rows)
    assert rows[-1]["single_step_accuracy"] > 4 * rows[-1]["pgd_accuracy"]
    found = [row["epoch"] for row in rows if row["catastrophic_overfitting"]]
    assert rows[-1]["epoch"] in found
    assert result.catastrophic_overfitting == found[0]
    (told,) = caplog.records
    assert f"catastrophic overfitting at epoch {found[0]:g}: accuracy under PGD-10 fell from" in told.getMessage()


def test_a_short_step_in_a_small_ball_does_not_collapse() -> None:
    _, result = trained({"kind": "fgsm-rs", "epsilon": 0.05}, epochs=30)
    assert result.catastrophic_overfitting is None
    assert all(row["pgd_accuracy"] <= row["single_step_accuracy"] for row in result.history)
    assert result.history[-1]["pgd_accuracy"] > 0.8 * result.history[-1]["single_step_accuracy"]


def test_training_with_pgd_in_the_same_ball_does_not_set_it_off() -> None:
    """Not watched itself, since it relies on no single step; so its networks are shown to the check of FGSM-RS."""
    watch, rows = None, []
    for epochs in (5, 10, 15):
        network, result = trained({"kind": "pgd", "threat": {"epsilon": 0.25, "steps": 4}}, epochs=epochs)
        assert "pgd_accuracy" not in result.history[-1]
        assert result.catastrophic_overfitting is None
        splits = load_data(DataSettings(name="digits", per_class=20, validation=0), size=(16, 16))
        training = Training.model_validate({"objective": TOO_LONG})
        watch = OverfittingWatch(training, ImageBatches(splits, training, seed=0), 0, Accuracy())
        with evaluation_mode(network, torch.device("cpu")) as predict:
            rows.append(watch.measure(predict, rows))
    assert not any(row["catastrophic_overfitting"] for row in rows)
    assert rows[-1]["pgd_accuracy"] > rows[0]["pgd_accuracy"]


def test_an_objective_without_a_single_step_costs_nothing_and_says_nothing() -> None:
    for objective in ("standard", "smoothing", {"kind": "trades", "threat": {"steps": 2}}):
        _, result = trained(objective if isinstance(objective, dict) else {"kind": objective}, epochs=1)
        assert not {"pgd_accuracy", "single_step_accuracy"} & result.history[-1].keys()


@pytest.mark.parametrize("objective", [{"kind": "free"}, {"kind": "pgd", "threat": {"steps": 1}}])
def test_every_objective_of_a_single_step_is_watched(objective: dict[str, Any]) -> None:
    _, result = trained(objective, epochs=5)
    assert {"pgd_accuracy", "single_step_accuracy", "catastrophic_overfitting"} <= result.history[-1].keys()


def series(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"single_step_accuracy": single, "pgd_accuracy": pgd} for single, pgd in pairs]


@pytest.mark.parametrize(
    ("rows", "collapsed"),
    [
        (series((0.52, 0.38)), False),
        (series((0.52, 0.38), (0.77, 0.04)), True),
        (series((0.52, 0.38), (0.55, 0.30)), False),
        (series((0.52, 0.38), (0.10, 0.04)), False),
        (series((0.20, 0.08), (0.40, 0.02)), False),
        (series((0.52, 0.38), (0.77, 0.04), (0.70, 0.36)), False),
    ],
)
def test_a_collapse_is_a_fall_under_pgd_alone(rows: list[dict[str, float]], collapsed: bool) -> None:
    """Falls short of half, falls under both attacks and falls within chance are none; nor is a recovery."""
    assert has_collapsed(rows) == collapsed


def test_the_images_watched_are_few_fixed_and_held_out_where_there_are_enough() -> None:
    def images(**data: Any) -> int:
        splits = load_data(DataSettings.model_validate({"name": "digits", **data}))
        watch = OverfittingWatch(training, source := ImageBatches(splits, training, seed=0), 0, Accuracy())
        (batch,), (again,) = list(source.sample(watch.images)), list(source.sample(watch.images))
        assert torch.equal(batch.inputs, again.inputs)
        part = splits.validation if len(splits.validation) >= watch.images else splits.train
        members = {part[index][0].numpy().tobytes() for index in range(len(part))}
        assert all(image.numpy().tobytes() in members for image in batch.inputs)
        return batch.count

    training = Training.model_validate({"objective": "fgsm-rs"})
    assert images(validation=0.1) == 64
    assert images(validation=0) == 64
    assert images(validation=0.01, per_class=10) == 64


def test_every_round_of_a_draw_is_watched_on_its_own(tmp_path: Path) -> None:
    """The best accuracy of a round that a rewind ended is no measure for the next."""
    splits = load_data(DataSettings(name="digits", per_class=8, validation=0))
    training = Training.model_validate(
        {"objective": "fgsm-rs", "batch_size": 20, "validate_every": 0.5, "precision": "fp32"}
    )
    batches = ImageBatches(splits, training, seed=0)
    seen: list[int] = []

    class Watched(OverfittingWatch):
        def measure(self, predict: Any, earlier: Any) -> dict[str, Any]:
            seen.append(len(earlier))
            return super().measure(predict, earlier)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robust_tickets.training.loop.OverfittingWatch", Watched)
        body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        network = Network(body, Pixels(mean=(0.0,), std=(1.0,), size=(8, 8)), "1")
        events = (Event(step=4, actions=(Rewind(),), sparsity=0.0, ticket=False),)
        fit(Job(Trainable.of(network), batches, training, Plan(8, events), 0, classes=TEN))
    assert seen == [0, 1, 0, 1]
