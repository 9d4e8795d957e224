"""ONNX files: self-contained, any batch size, equal to the network, whole or absent, and quiet."""

import json
import warnings
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.shrinking.export import Provenance, export_onnx
from tests.shrinking.networks import SIDE, classifier


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    assert (
        export_onnx(
            classifier(),
            path,
            classes=list("abcde"),
            provenance=Provenance(ticket="sha256:1", network="sha256:2", seed=3),
        )
        < 1e-4
    )
    return path


@pytest.mark.parametrize("batch", [1, 3, 8])
@torch.no_grad()
def test_the_file_takes_images_in_the_unit_box_in_batches_of_any_size(exported, batch):
    images = torch.rand(batch, 3, SIDE, SIDE)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    expected = classifier()(images)
    assert float((torch.from_numpy(logits) - expected).abs().max() / expected.std()) < 1e-4


def test_the_file_says_what_it_is(exported):
    said = {entry.key: json.loads(entry.value) for entry in onnx.load(exported).metadata_props}
    assert said["classes"] == list("abcde")
    assert said["ticket"] == "sha256:1"
    assert said["size"] == [SIDE, SIDE]
    assert said["mean"] == [0.5, 0.4, 0.3]
    assert said["std"] == [0.2, 0.25, 0.3]


def test_it_names_no_file_of_the_machine_that_wrote_it(exported):
    content = exported.read_bytes()
    for path in (torch.__file__, __file__):
        assert str(Path(path).parent).encode() not in content
    assert b"stack_trace" not in content


def test_it_is_one_file(exported):
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]


def test_exporting_prints_and_warns_nothing(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(classifier(), tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


class Deciding(nn.Module):
    """Its control flow depends on values: it has no static graph."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, images):
        features = images.mean((2, 3))
        return self.fc(features) if features.sum() > 0 else self.fc(-features)


def test_a_network_without_a_graph_is_refused_and_leaves_nothing(tmp_path):
    network = Network(Deciding(), Pixels(mean=(0,) * 3, std=(1,) * 3, size=(8, 8)), "fc")
    with pytest.raises(UserError, match="Deciding cannot be exported to ONNX"):
        export_onnx(network, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_class_names_must_fit(tmp_path):
    with pytest.raises(UserError, match="2 class names were given for a network of 5 classes"):
        export_onnx(classifier(), tmp_path / "model.onnx", classes=["a", "b"])


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised at every pass (Qiao et al., 2019)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        mean, std = weight.mean((1, 2, 3), keepdim=True), weight.std((1, 2, 3), keepdim=True)
        return self._conv_forward(x, (weight - mean) / std, self.bias)


def test_names_of_the_normalisation_never_meet_those_of_the_exporter(tmp_path):
    body = nn.Sequential(Standardised(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    preprocessing = Pixels(mean=(0.5,) * 3, std=(0.5,) * 3, size=(8, 8))
    assert export_onnx(Network(body, preprocessing, "4").eval(), tmp_path / "net.onnx") < 1e-4
