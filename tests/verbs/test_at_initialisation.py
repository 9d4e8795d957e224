"""Tickets of random networks by SNIP, GraSP and SynFlow, drawn as users draw them."""

from typing import Any

import pytest
import torch
from torch import nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError

DIGITS = rt.DataSettings.model_validate({"name": "digits", "per_class": 8, "validation": 0})
PIXELS = {"size": 8, "mean": [0.5], "std": [0.5]}
SYNFLOW = {"score": "synflow", "timeline": {"kind": "one-shot", "rounds": 20}}
WAYS: dict[str, dict[str, Any]] = {
    "snip": {"score": "snip", "data": DIGITS},
    "grasp": {"score": "grasp", "data": DIGITS},
    "synflow": SYNFLOW,
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source("demo/resnet4", weights="random", num_classes=10, in_channels=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("group", ["element", "filter", "channel"])
def test_a_random_network_is_drawn_without_training_and_keeps_its_weights(
    source: rt.Source, way: str, group: str
) -> None:
    ticket = rt.draw(source, sparsity=0.5, group=group, **WAYS[way])
    assert ticket.init == "source", "rounds without training leave the source's own weights"
    assert 0.4 < ticket.sparsity < 0.75
    if group == "element":
        assert ticket.sparsity == pytest.approx(0.5, abs=1e-3)


def test_rounds_change_what_synflow_keeps_and_leave_one_ticket(source: rt.Source, tmp_path: Any) -> None:
    ticket = rt.draw(source, sparsity=0.95, folder=tmp_path / "ticket", **SYNFLOW)
    once = rt.draw(source, sparsity=0.95, score="synflow")
    assert ticket.sparsity == once.sparsity
    assert any(bool((ticket.masks[name] != once.masks[name]).any()) for name in ticket.prunable)
    assert not (tmp_path / "ticket" / "rungs").exists()
    assert rt.Ticket.load(tmp_path / "ticket").digest == ticket.digest


def test_synflow_reads_no_data_and_gives_the_same_with_any(source: rt.Source) -> None:
    alone, beside = rt.draw(source, **SYNFLOW), rt.draw(source, data=DIGITS, **SYNFLOW)
    assert all(torch.equal(alone.masks[name], beside.masks[name]) for name in alone.masks)


@pytest.mark.parametrize("way", ["snip", "grasp"])
def test_what_reads_examples_needs_data(source: rt.Source, way: str) -> None:
    with pytest.raises(UserError, match=f"^draw.data is missing: score '{way}' reads training examples[^\n]*$"):
        rt.draw(source, score=way)


@pytest.mark.parametrize("way", ["snip", "grasp"])
def test_images_of_another_size_are_resized_or_refused_in_a_line(way: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    larger = torch.utils.data.TensorDataset(torch.rand(40, 1, 20, 20), torch.arange(40) % 10)
    assert rt.draw(network, preprocessing=PIXELS, sparsity=0.5, score=way, data=larger).sparsity == 0.5
    stated = rt.DataSettings.model_validate({"name": "digits", "per_class": 4, "size": 20})
    with pytest.raises(UserError, match=r"^digits: [^\n]*1 x 20 x 20 fails[^\n]*the network takes 1 x 8 x 8$"):
        rt.draw(network, preprocessing=PIXELS, sparsity=0.5, score=way, data=stated)


class Gated(nn.Module):
    """A network of images in which activations multiply activations."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.gate = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head((self.stem(images) * self.gate(images)).mean((2, 3)))


def test_a_network_without_a_flow_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match=r"^score 'synflow' needs outputs that are sums over paths[^\n]*$"):
        rt.draw(Gated(), preprocessing=PIXELS, **SYNFLOW)


def test_rounds_are_a_number_from_one_on(source: rt.Source) -> None:
    with pytest.raises(UserError, match="rounds"):
        rt.draw(source, timeline={"kind": "one-shot", "rounds": 0})
