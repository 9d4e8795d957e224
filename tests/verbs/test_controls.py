"""Controls have everything of a ticket but what is claimed to matter."""

import pytest
import torch

import robust_tickets as rt
from robust_tickets.verbs.controls import control
from tests.verbs.small import PARTS, small_source


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def removed(ticket: rt.Ticket) -> dict[str, int]:
    return {name: int((~ticket.masks[name]).sum()) for name in ticket.prunable}


ONE_SHOT = {"sparsity": 0.6}
ROWS = {"sparsity": 0.5, "group": "row"}
N_M = {"sparsity": 0.5, "group": "n-m", "scope": "layer", "prunable": {"exempt": ["features.0.*"]}}
ITERATIVE = {
    "sparsity": 0.75,
    "timeline": {"kind": "iterative", "rate": 0.5, "epochs": 2},
    "training": {"batch_size": 20, "optimiser": {"lr": 0.3}},
    "rewind": "none",
}
WAYS = pytest.mark.parametrize("way", [ONE_SHOT, ROWS, N_M, ITERATIVE], ids=["one-shot", "rows", "n-m", "iterative"])


@WAYS
def test_shuffled_removes_as_much_of_every_layer_elsewhere(source: rt.Source, way: dict) -> None:
    settings = rt.DrawSettings.model_validate(way)
    ticket = rt.draw(source, settings=settings, data=PARTS)
    made = control("shuffled", ticket, source, settings, seed=0)
    assert removed(made) == removed(ticket)
    assert any(not torch.equal(made.masks[name], ticket.masks[name]) for name in ticket.prunable)
    assert made.init == "source"
    assert made.provenance["control"] == "shuffled"
    assert made.digest == control("shuffled", ticket, source, settings, seed=0).digest
    assert made.digest != control("shuffled", ticket, source, settings, seed=1).digest


@WAYS
def test_random_removes_as_much_in_all(source: rt.Source, way: dict) -> None:
    settings = rt.DrawSettings.model_validate(way)
    ticket = rt.draw(source, settings=settings, data=PARTS)
    made = control("random", ticket, source, settings, seed=0)
    assert sum(removed(made).values()) == sum(removed(ticket).values())
    assert made.digest != ticket.digest


def test_a_rungs_control_is_as_sparse_as_the_rung(source: rt.Source) -> None:
    settings = rt.DrawSettings.model_validate({**ITERATIVE, "sparsity": [0.5, 0.75]})
    for rung in rt.draw_all(source, settings=settings, data=PARTS):
        made = control("random", rung, source, settings, seed=0)
        assert made.sparsity == pytest.approx(rung.sparsity, abs=1e-9)


def test_controls_of_channels_remove_whole_channels(source: rt.Source) -> None:
    settings = rt.DrawSettings.model_validate({"sparsity": 0.5, "group": "channel", "scope": "layer"})
    ticket = rt.draw(source, settings=settings)
    for kind in ("random", "shuffled"):
        made = control(kind, ticket, source, settings, seed=0)
        assert removed(made) == removed(ticket)
        assert int(made.masks["features.1.bias"].sum()) == int(ticket.masks["features.1.bias"].sum())


def test_reinitialised_has_the_same_masks_over_other_weights(source: rt.Source) -> None:
    settings = rt.DrawSettings.model_validate(ONE_SHOT)
    ticket = rt.draw(source, settings=settings)
    made = control("reinitialised", ticket, source, settings, seed=0)
    assert all(torch.equal(made.masks[name], mask) for name, mask in ticket.masks.items())
    network, own = made.subnetwork(source).plain_state(), ticket.subnetwork(source).plain_state()
    for name in ticket.prunable:
        assert torch.equal(network[name] != 0, ticket.masks[name])
        assert not torch.equal(network[name], own[name])
    assert source.identity == small_source().identity
