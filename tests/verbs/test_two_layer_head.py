"""Transfer under a head of two layers, as Mehta (2019, arXiv 1905.07785) compares it with one."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import robust_tickets as rt
from robust_tickets.models.folders import load_folder
from tests.verbs.small import PARTS, QUICK, small_source

TWO = {"kind": "classification", "hidden": 5}


@pytest.fixture(scope="module")
def ticket() -> rt.Ticket:
    return rt.draw(small_source(), sparsity=0.5)


@pytest.mark.parametrize("mode", ["linear", "full"])
def test_two_layers_are_trained_on_what_entered_the_head(mode: str, ticket: rt.Ticket, tmp_path: Path) -> None:
    done = rt.transfer(ticket, PARTS, mode=mode, task=TWO, **{**QUICK, "seeds": (0,)}, folder=tmp_path)
    network = done.runs[0].network.eval()
    state = network.plain_state()
    heads = {name: tuple(value.shape) for name, value in state.items() if not name.startswith("backbone.")}
    assert heads == {
        "head.0.weight": (5, 16), "head.0.bias": (5,), "head.2.weight": (3, 5), "head.2.bias": (3,)
    }  # fmt: skip
    images = PARTS["test"].images
    with torch.no_grad():
        hidden = F.relu(network.features(images) @ state["head.0.weight"].T + state["head.0.bias"])
        assert torch.allclose(network(images), hidden @ state["head.2.weight"].T + state["head.2.bias"], atol=1e-6)
    source = ticket.subnetwork().plain_state()
    for name in ticket.prunable:
        value = state[f"backbone.{name}"]
        assert not value[~ticket.masks[name]].any()
        assert torch.equal(value, source[name]) == (mode == "linear")
    again = load_folder(tmp_path / "seed-0", like=small_source().network)[0]
    assert all(torch.equal(value, state[name]) for name, value in again.plain_state().items())
    other = rt.transfer(ticket, PARTS, mode=mode, **{**QUICK, "seeds": (0,)})
    assert "hidden layer of 5" in done.settings.describe() != other.settings.describe()


def test_it_is_verified_against_dense_under_the_same_head(ticket: rt.Ticket, tmp_path: Path) -> None:
    done = rt.transfer(ticket, PARTS, mode="linear", task=TWO, **QUICK, folder=tmp_path / "ticket")
    dense = done.dense(tmp_path / "dense")
    assert all("head.2.weight" in run.network.plain_state() for run in dense.runs)
    shrunk = tmp_path / "small.onnx"
    rt.shrink(done, shrunk, dense=dense, rounds=3)
    assert shrunk.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"head": "keep"},
            "task.hidden: a hidden layer is for a fresh head, but .* is kept; leave it out, or use head: fresh",
        ),
        ({"task": {**TWO, "hidden": 0}}, "hidden"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str, ticket: rt.Ticket) -> None:
    with pytest.raises(rt.UserError, match=message):
        rt.transfer(ticket, PARTS, **{"task": TWO, **QUICK, **changes})


def test_a_language_models_head_is_not_exchanged_for_two_layers() -> None:
    source = rt.load_source("tiny/bert", weights="random", vocabulary_size=400)
    with pytest.raises(rt.UserError, match=r"already has a head other than one last layer.*; leave it out$"):
        rt.transfer(source, rt.DataSettings(name="tale-topics", per_class=8), task=TWO, **QUICK)


def test_a_head_that_is_not_the_last_operation_is_refused() -> None:
    source = rt.load_source("torchvision/squeezenet1_1", weights="random", num_classes=10)
    ticket = rt.draw(source, sparsity=0.5)
    with pytest.raises(rt.UserError, match="not its last operation, over 512 features; leave it out"):
        rt.transfer(ticket, rt.DataSettings(name="digits", channels=3, size=(64, 64), per_class=4), task=TWO, **QUICK)


def test_settings_without_it_are_written_as_they_always_were() -> None:
    settings = rt.TransferSettings(task={"kind": "classification"})
    assert settings.model_dump()["task"] == {"kind": "classification"}
    assert settings.comparable == rt.TransferSettings().comparable
