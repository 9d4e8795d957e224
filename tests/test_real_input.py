"""The main job on real input: photographs and published checkpoints in, verdicts and verified files out."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

import robust_tickets as rt
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.attacks.threat import Threat
from robust_tickets.cli import app
from robust_tickets.data.batches import batches
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.files import read_json
from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.robust_accuracy import Correctness, robust_correctness
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared

RESNET20 = ("cifar/resnet20", "resnet20-12fca82f.th")
RESNET2B = ("resnet2b", "resnet2b.pth")
SQUEEZENET = "{mean: [123/255, 117/255, 104/255], std: [1/255, 1/255, 1/255], size: 64}"


def at(name: str) -> str:
    assert SHARED is not None
    return str(SHARED / name)


def tickets(*arguments: str | Path) -> str:
    """Run a command and return what it prints."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def load(name: str, file: str) -> rt.Source:
    return rt.load_source(rt.SourceSettings(name=name, weights=at(f"weights/{file}")))


@pytest.fixture(scope="module")
def cifar10() -> DataSplits:
    # The test images alone are an undivided set; nearly all of it is carved out as test, in the official order.
    return rt.load_data(rt.DataSettings(name=at("cifar10/cifar10_test.npz"), test=0.9))


def attacked(network: rt.Network, data: DataSplits, images: int, threat: Threat) -> Correctness:
    """Attack early test images, as the checkpoints' records do with the first ones."""
    first = data.test.subset(torch.arange(images))
    with evaluation_mode(network, "cpu") as predict:
        return robust_correctness(predict, batches(first, batch_size=100, seed=0, train=False), threat, generator(0))


def test_photographs_end_in_a_smaller_file_that_reaches_the_reported_accuracy(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["run", "one-shot", "--source", "torchvision/squeezenet1_1", "--out", out, "--preprocessing", SQUEEZENET]
    command += ["--weights", at("weights/squeezenet1_1_imagenet.safetensors"), "--data", at("hymenoptera-160")]
    quick = {"draw.group": "channel", "draw.scope": "layer", "draw.sparsity": "0.3", "transfers.full.seeds": "[0]"}
    quick |= {"transfers.full.training.epochs": "1", "shrink.rounds": "5"}
    command += [part for key, value in quick.items() for part in ("--set", f"{key}={value}")]
    printed = tickets(*command)
    assert "hymenoptera-160" in printed
    summary = read_json(out / "summary.json")
    row = next(row for row in summary["rows"] if row["ticket"] == "drawn")
    dense, zeros, shrunk = summary["shrink"]
    assert zeros["parameters"] == dense["parameters"]
    assert shrunk["parameters"] < (1 - row["sparsity"]) * dense["parameters"]
    assert shrunk["macs"] < 0.7 * dense["macs"]

    session = onnxruntime.InferenceSession(out / "draw.onnx")
    meta = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    geometry = {key: meta[key] for key in ("size", "interpolation", "crop_fraction")}
    test = rt.load_data(at("hymenoptera-160"), **geometry).test
    assert meta["classes"] == ["ants", "bees"]
    right = 0
    for images, labels in batches(test, batch_size=51, seed=0, train=False):
        (scores,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        right += int((np.asarray(scores).argmax(1) == labels.numpy()).sum())
    assert right / len(test) == pytest.approx(row["standard_accuracy"], abs=1 / len(test))
    assert (out / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("checkpoint", "threat", "images", "clean", "robust"),
    [
        (RESNET20, Threat(epsilon=2 / 255, steps=10), 100, 91.73, 1.4),
        (RESNET2B, Threat(epsilon=2 / 255, steps=20), 300, 69.25, 57.0),
    ],
    ids=["natural", "robust"],
)
def test_checkpoints_withstand_attacks_as_recorded(
    cifar10: DataSplits, checkpoint: tuple[str, str], threat: Threat, images: int, clean: float, robust: float
) -> None:
    correct = attacked(load(*checkpoint).network, cifar10, images, threat)
    assert 100 * accuracy(correct.clean) == pytest.approx(clean, abs=6)
    assert 100 * accuracy(correct.robust) == pytest.approx(robust, abs=6)


def test_half_of_a_published_network_can_go_by_magnitude_but_not_at_random(cifar10: DataSplits) -> None:
    source = load(*RESNET2B)
    threat = Threat(epsilon=2 / 255, steps=5)
    found = {}
    for score in ("magnitude", "random"):
        ticket = rt.draw(source, sparsity=0.5, score=score)
        found[score] = attacked(ticket.subnetwork(source), cifar10, 300, threat)
    assert accuracy(found["magnitude"].clean) > 0.64
    assert accuracy(found["magnitude"].robust) > 0.50
    assert accuracy(found["random"].clean) < 0.45


def test_a_users_own_model_goes_through_every_command(tmp_path: Path) -> None:
    ticket, runs, onnx = tmp_path / "ticket", tmp_path / "runs", tmp_path / "model.onnx"
    name, file = RESNET2B
    source = ["--source", name, "--weights", at(f"weights/{file}")]
    assert "90 % of the weights" in tickets("draw", *source, "--sparsity", "0.9", "--out", ticket)
    quick = {"head": "keep", "data.test": "0.05", "data.per_class": "30", "training.epochs": "2", "seeds": "[0, 1]"}
    options = [part for key, value in quick.items() for part in ("--set", f"{key}={value}")]
    tickets("transfer", ticket, "--data", at("cifar10/cifar10_test.npz"), "--out", runs, *options)
    assert "Does not match" in tickets("verify", runs)
    verdict = read_json(runs / "verdict.json")
    assert verdict["standard"]["dense"] > 0.6
    assert "of the parameters are zero" in tickets("shrink", runs, "--out", onnx, "--set", "rounds=5")
    onnxruntime.InferenceSession(onnx)
