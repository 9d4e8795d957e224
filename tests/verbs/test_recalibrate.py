"""Batch-norm statistics under the masks: what they are worth, what a ticket stores, and that papers' names hold."""

from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.verbs.controls import control
from tests.commands import Tickets, colours
from tests.verbs.small import PARTS, QUICK, THOROUGH, small_source

PREPROCESSING = rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8))


@pytest.fixture(scope="module")
def source() -> rt.Source:
    """A network that tells the classes apart."""
    trained = rt.transfer(small_source(), PARTS, training=THOROUGH, seeds=(0,)).best.network
    return rt.load_source(trained.cpu().body, preprocessing=PREPROCESSING)


@torch.no_grad()
def accuracy(ticket: rt.Ticket, source: rt.Source) -> float:
    test = PARTS["test"]
    return float((ticket.subnetwork(source).eval()(test.images).argmax(1) == test.labels).double().mean())


def test_accuracy_without_training_rises_and_the_ticket_keeps_what_it_takes(source: rt.Source, tmp_path: Path) -> None:
    plain = rt.draw(source, sparsity=0.8)
    found = rt.draw(source, sparsity=0.8, recalibrate=PARTS, folder=tmp_path)
    assert accuracy(found, source) > accuracy(plain, source) + 0.2
    assert all(torch.equal(found.masks[name], mask) for name, mask in plain.masks.items())
    assert found.digest != plain.digest
    assert (found.init, plain.statistics) == ("source", None)
    loaded = rt.Ticket.load(tmp_path)
    assert loaded.digest == found.digest
    state, expected = loaded.subnetwork(source).plain_state(), found.subnetwork(source).plain_state()
    assert all(torch.equal(value, expected[name]) for name, value in state.items())
    assert loaded.statistics is not None
    assert sorted(loaded.statistics) == sorted(name for name in state if "running" in name or "tracked" in name)
    assert (tmp_path / "statistics.safetensors").stat().st_size < 2000
    assert not (tmp_path / "init.safetensors").exists()
    assert "Batch-norm statistics were recomputed" in (tmp_path / "README.md").read_text()
    assert rt.draw(source, sparsity=0.8, recalibrate=PARTS, folder=tmp_path).digest == found.digest
    (tmp_path / "statistics.safetensors").unlink()
    with pytest.raises(rt.UserError, match=r"statistics\.safetensors: no such file"):
        rt.Ticket.load(tmp_path)


def test_data_on_which_nothing_trains_are_used_and_those_of_a_training_are_not(source: rt.Source) -> None:
    asked = rt.draw(source, sparsity=0.8, recalibrate=PARTS)
    assert rt.draw(source, sparsity=0.8, data=PARTS).digest == asked.digest
    timeline = {"kind": "one-shot", "epochs": 1}
    training = {"epochs": 1, "batch_size": 20, "optimiser": {"lr": 0.01}}
    paper = rt.draw(source, sparsity=0.8, data=PARTS, timeline=timeline, training=training)
    assert (paper.statistics, paper.init) == (None, "source")
    both = rt.draw(source, sparsity=0.8, data=PARTS, recalibrate=PARTS, timeline=timeline, training=training)
    assert both.statistics is not None


def test_a_ticket_that_would_meet_wrong_statistics_says_so(source: rt.Source, caplog: pytest.LogCaptureFixture) -> None:
    told = "batch norm has the dense network's statistics"
    rt.draw(source, sparsity=0.8)
    assert [message.startswith(told) for message in caplog.messages] == [True]
    caplog.clear()
    rt.draw(source, sparsity=0.8, recalibrate=PARTS)
    assert not caplog.messages
    # Of a network that already has these zeros, the statistics are its own.
    sparse = rt.load_source(rt.draw(source, sparsity=0.8).subnetwork())
    caplog.clear()
    rt.draw(sparse, sparsity=0.8, score="zeros")
    assert not caplog.messages
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 3))
    without = rt.load_source(plain, preprocessing=PREPROCESSING)
    rt.draw(without, sparsity=0.5)
    assert not any(message.startswith(told) for message in caplog.messages)
    with pytest.raises(rt.UserError, match="has no batch norm; leave it out"):
        rt.draw(without, sparsity=0.5, recalibrate=PARTS)


def test_linear_transfer_calls_no_recalibrated_statistics_the_sources(source: rt.Source) -> None:
    ticket = rt.draw(source, sparsity=0.8, recalibrate=PARTS)
    with pytest.raises(rt.UserError, match="bn: source: this ticket's batch-norm statistics were recalibrated"):
        rt.transfer(ticket, PARTS, mode="linear", **QUICK)
    result = rt.transfer(ticket, PARTS, mode="linear", bn="recalibrated", head="keep", **QUICK)
    state = result.runs[0].network.plain_state()
    assert ticket.statistics is not None
    assert torch.allclose(state["features.1.running_mean"], ticket.statistics["features.1.running_mean"], atol=1e-5)
    assert len(rt.transfer(ticket, PARTS, **QUICK).runs) == 2


def test_a_control_has_statistics_of_its_own(source: rt.Source, caplog: pytest.LogCaptureFixture) -> None:
    settings = rt.DrawSettings.model_validate(
        {"sparsity": 0.8, "recalibrate": {"name": "glyphs", "glyphs": {"count": 260}, "channels": 3}}
    )
    ticket = rt.draw(source, settings=settings)
    shuffled = control("shuffled", ticket, source, settings, 0)
    assert ticket.statistics is not None
    assert shuffled.statistics is not None
    name = "features.4.running_mean"
    assert not torch.equal(shuffled.statistics[name], ticket.statistics[name])
    assert control("shuffled", ticket, source, rt.DrawSettings(sparsity=0.8), 0).statistics is None
    assert "name the data as draw.recalibrate" in caplog.messages[-1]


def test_the_command_recalibrates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    colours(tmp_path / "images")
    tickets = Tickets(capsys, monkeypatch)
    done = tickets("draw -s demo/resnet4 --weights random --sparsity 0.5 -o ticket --recalibrate images")
    assert done.code == 0, done.err
    assert rt.Ticket.load(tmp_path / "ticket").statistics is not None
    assert "zero throughout" in tickets("draw -s demo/resnet4 --weights random --score zeros -o zeros").complaint
