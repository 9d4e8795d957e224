"""Runtime files of networks: equal to them, smaller by their zeros, whole or absent, and saying what they are."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.proofs import relative_difference
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.runtime.storage.file import read_file
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.export import Provenance
from robust_tickets.shrinking.runtime_file import write_runtime
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import shrink_network
from tests.shrinking.networks import SIDE, channel_masks, classifier, element_masks

PROVENANCE = Provenance(ticket="sha256:1", network="sha256:2", seed=3)


def sparse(seed: int = 0) -> Network:
    network = classifier(seed)
    masks = element_masks(network.body, 0.9)
    MaskApplier(dict(network.body.named_parameters()), masks).apply_to_weights()
    return network


@torch.no_grad()
def test_the_file_computes_what_the_network_does_and_is_small_by_its_zeros(tmp_path):
    network, path = sparse(), tmp_path / "model.rtk"
    found = write_runtime(network, path, classes=list("abcde"), provenance=PROVENANCE)
    images = torch.rand(5, 3, SIDE, SIDE)
    assert found.runtime < 1e-4
    assert found.storage == 0
    assert relative_difference(rt.load_runtime(path)(images), network(images)) < 1e-4
    write_runtime(classifier(), tmp_path / "dense.rtk")
    assert path.stat().st_size < 0.4 * (tmp_path / "dense.rtk").stat().st_size
    assert load_artefact(path).provenance == PROVENANCE
    said = {key: json.loads(text) for key, text in read_file(path).metadata.items()}
    assert said["classes"] == list("abcde")
    assert said["size"] == [SIDE, SIDE]


def test_every_zero_of_a_ticket_is_left_out_though_batch_norms_are_folded(tmp_path):
    network = sparse()
    write_runtime(network, tmp_path / "model.rtk")
    graph = read_file(tmp_path / "model.rtk")
    kept = {
        node.name: len(graph.weights[node.weights["weight"]].nonzeros()[1])
        for node in graph.nodes
        if node.op in ("conv", "linear")
    }
    expected = {
        name: int(torch.count_nonzero(layer.weight))
        for name, layer in network.body.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    assert kept == expected


def test_half_precision_is_reported_apart(tmp_path):
    found = write_runtime(sparse(), tmp_path / "half.rtk", half=True)
    write_runtime(sparse(), tmp_path / "model.rtk")
    assert found.runtime < 1e-4
    assert 1e-5 < found.storage < 1e-2
    assert (tmp_path / "half.rtk").stat().st_size < 0.8 * (tmp_path / "model.rtk").stat().st_size


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.fc(self.attention(tokens, tokens, tokens)[0].mean(1))


def test_what_the_runtime_cannot_do_is_refused_by_name_and_leaves_nothing(tmp_path):
    network = Network(Attending(), Pixels(mean=(0,) * 3, std=(1,) * 3, size=(8, 8)), "fc")
    with pytest.raises(
        UserError, match=r"Attending .*attention that is not scaled_dot_product_attention.* write an \.onnx file"
    ):
        write_runtime(network, tmp_path / "model.rtk")
    assert list(tmp_path.iterdir()) == []


def test_an_element_ticket_shrinks_to_a_file_that_leaves_its_zeros_out(tmp_path):
    dense, out = classifier(), tmp_path / "model.rtk"
    masks = element_masks(dense.body, 0.9)
    report = shrink_network(dense, classifier(1), masks, out, ShrinkSettings(rounds=3), provenance=PROVENANCE)
    assert report.kind == "zeros only"
    assert report.shrunk.file_bytes == out.stat().st_size < 0.5 * report.dense.file_bytes
    assert report.ticket.file_bytes > 0.9 * report.dense.file_bytes
    assert report.export_difference < 1e-4
    assert report.shrunk.latency.name == "shrunk"
    assert "left out" in report.sentence
    assert f"{report.shrunk.latency.speedup:.2f} times the speed of dense" in report.sentence


def test_zero_channels_go_first(tmp_path):
    dense = classifier()
    out = tmp_path / "model.rtk"
    settings = ShrinkSettings(rounds=3, round_to=1)
    report = shrink_network(dense, classifier(1), channel_masks(dense.body, 0.5), out, settings)
    assert report.kind == "channels"
    stem = next(node for node in read_file(out).nodes if node.name == "stem.0")
    assert read_file(out).weights[stem.weights["weight"]].shape[0] == 12
    assert report.sentence.startswith(f"{report.removal.channels_removed} of ")


@torch.no_grad()
def test_images_come_from_anywhere(tmp_path):
    write_runtime(sparse(), tmp_path / "model.rtk")
    images = torch.rand(2, 3, SIDE, SIDE, dtype=torch.float64)
    expected = rt.load_runtime(tmp_path / "model.rtk")(images.float().numpy())
    np.testing.assert_array_equal(load_artefact(tmp_path / "model.rtk").predict(images).numpy(), expected)
