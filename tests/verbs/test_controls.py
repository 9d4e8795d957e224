"""Controls have everything of a ticket but what is claimed to matter."""

import sys
from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.training.job import Job
from robust_tickets.training.loop import OnTicket, fit
from robust_tickets.training.result import TrainingResult
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls import control, require_control
from tests.commands import colours
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


def test_a_random_mask_takes_no_training_and_no_other_statistics(
    source: rt.Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    colours(tmp_path / "images")
    way = {
        "sparsity": 0.6,
        "timeline": {"kind": "one-shot", "epochs": 1},
        "data": {"name": str(tmp_path / "images")},
        "finetune": {"epochs": 1},
        "head": "fresh",
    }
    settings = rt.DrawSettings.model_validate(way)
    ticket = rt.draw(source, settings=settings)
    steps: list[int] = []

    def spied(job: Job, on_ticket: OnTicket | None = None) -> TrainingResult:
        steps.append(job.plan.steps)
        return fit(job, on_ticket)

    monkeypatch.setattr(sys.modules["robust_tickets.verbs.draw"], "fit", spied)
    made = control("random", ticket, source, settings, seed=0)
    assert steps == [0]
    assert made.statistics is None
    assert sum(removed(made).values()) == sum(removed(ticket).values())


def test_random_is_not_weighed_by_what_weights_cost(source: rt.Source) -> None:
    """It would remove most of the early layers, whatever their weights: a control that any ticket beats."""
    settings = rt.DrawSettings.model_validate({"sparsity": 0.6, "scope": {"kind": "global", "cost": 0.5}})
    weighed = control("random", rt.draw(source, settings=settings), source, settings, seed=0)
    plain = rt.DrawSettings.model_validate(ONE_SHOT)
    assert (
        weighed.masks.keys()
        == (other := control("random", rt.draw(source, settings=plain), source, plain, 0)).masks.keys()
    )
    assert removed(weighed) == removed(other)


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


def test_a_complement_keeps_what_the_ticket_removes(source: rt.Source) -> None:
    settings = rt.DrawSettings.model_validate(ONE_SHOT)
    ticket = rt.draw(source, settings=settings)
    made = control("complement", ticket, source, settings, seed=0)
    assert made.sparsity == pytest.approx(1 - ticket.sparsity)
    both = [network.subnetwork(source).plain_state() for network in (ticket, made)]
    for name in ticket.prunable:
        assert torch.equal(both[0][name] + both[1][name], source.network.body.get_parameter(name))


def test_a_complement_of_channels_keeps_the_other_channels_with_their_norms(source: rt.Source) -> None:
    settings = rt.DrawSettings.model_validate(
        {"sparsity": 0.5, "group": "channel", "scope": "layer", "prunable": {"exempt": ["features.3.weight"]}}
    )
    ticket = rt.draw(source, settings=settings)
    made = control("complement", ticket, source, settings, seed=0)
    assert torch.equal(made.masks["features.1.bias"], ~ticket.masks["features.1.bias"])
    assert torch.equal(made.masks["features.1.bias"], made.masks["features.0.weight"].flatten(1).any(1))


@pytest.mark.parametrize("way", [ONE_SHOT, ROWS], ids=["one-shot", "rows"])
def test_flipped_is_as_sparse_in_every_layer_and_shares_an_exact_part(source: rt.Source, way: dict) -> None:
    settings = rt.DrawSettings.model_validate(way)
    ticket = rt.draw(source, settings=settings)
    made = control("flipped", ticket, source, settings, seed=0, flip=0.25)
    assert removed(made) == removed(ticket)
    size = 3 if "group" in way else 1
    for name in ticket.prunable:
        kept = int(ticket.masks[name].sum()) // size
        left = int((ticket.masks[name] & ~made.masks[name]).sum())
        assert left == size * min(int(0.25 * kept + 0.5), removed(ticket)[name] // size)
    assert made.digest == control("flipped", ticket, source, settings, seed=0, flip=0.25).digest
    assert made.digest != control("flipped", ticket, source, settings, seed=1, flip=0.25).digest


@pytest.mark.parametrize("kind", ["complement", "flipped"])
def test_tickets_with_weights_of_their_own_have_no_opposite(source: rt.Source, kind: ControlName) -> None:
    settings = rt.DrawSettings.model_validate(ITERATIVE)
    with pytest.raises(UserError, match=f"^{kind}: tickets of this draw restart from their own weights"):
        require_control(kind, settings)
    ticket = rt.draw(source, settings=settings, data=PARTS)
    with pytest.raises(UserError, match="not stored anywhere"):
        control(kind, ticket, source, settings, seed=0)
    require_control(kind, rt.DrawSettings.model_validate({**ITERATIVE, "rewind": "pretrained"}))
    require_control(kind, rt.DrawSettings.model_validate(ONE_SHOT))


def test_flips_of_coupled_groups_are_refused_before_the_draw() -> None:
    with pytest.raises(UserError, match="kind 'channel' would break"):
        require_control("flipped", rt.DrawSettings.model_validate({"group": "channel", "scope": "layer"}))
    require_control("shuffled", rt.DrawSettings.model_validate({"group": "channel", "scope": "layer"}))
