"""Soft thresholds drawn as users draw: the sparsity that training arrived at, or an exact count."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from tests.verbs.small import PARTS, THOROUGH, small_source

SOFT: dict[str, Any] = {
    "score": "learned",
    "parametrisation": {"kind": "soft-threshold", "start": -6, "decay": 0.5},
    "timeline": {"kind": "one-shot", "epochs": 4},
    "rewind": "none",
    "data": PARTS,
    "training": {"batch_size": 20, "optimiser": {"kind": "sgd", "lr": 0.05, "momentum": 0.9}},
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.pretrain(small_source(), PARTS, **THOROUGH)


def test_without_a_sparsity_the_ticket_is_what_training_left(source: rt.Source, tmp_path: Path) -> None:
    ticket = rt.draw(source, **SOFT, folder=tmp_path)
    assert 0.05 < ticket.sparsity < 0.99
    assert ticket.target == ticket.sparsity
    assert ticket.recipe["draw"]["sparsity"] == ticket.sparsity
    assert len({round(removed, 3) for removed in ticket.layer_sparsity.values()}) > 1, "each layer finds its own"
    state = ticket.subnetwork().plain_state()
    for name in ticket.prunable:
        assert torch.equal(state[name] != 0, ticket.masks[name])
    again = rt.draw(source, **SOFT, folder=tmp_path)
    assert again.digest == ticket.digest
    random = rt.draw(source, sparsity=ticket.target, score="random")
    assert random.sparsity == ticket.sparsity


def test_more_than_it_removed_is_removed_exactly(source: rt.Source, caplog: pytest.LogCaptureFixture) -> None:
    own = rt.draw(source, **SOFT)
    with caplog.at_level(logging.WARNING):
        ticket = rt.draw(source, **SOFT, sparsity=0.995)
    total = sum(ticket.masks[name].numel() for name in ticket.prunable)
    assert sum(int((~ticket.masks[name]).sum()) for name in ticket.prunable) == int(0.995 * total + 0.5)
    assert not [record for record in caplog.records if "training removed more" in record.getMessage()]
    before, after = own.subnetwork().plain_state(), ticket.subnetwork().plain_state()
    for name in ticket.prunable:
        assert torch.equal(after[name], before[name] * ticket.masks[name])
        assert bool(after[name][ticket.masks[name]].all())


def test_less_than_it_removed_is_kept_exactly_and_it_says_so(
    source: rt.Source, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ticket = rt.draw(source, **SOFT, sparsity=0.01)
    assert ticket.sparsity == pytest.approx(0.01, abs=1e-3)
    assert "training removed more than was asked for; leave sparsity out" in caplog.text


def test_thresholds_of_layers_are_not_forced_to_one_share(source: rt.Source) -> None:
    with pytest.raises(rt.UserError, match="how sparse each layer becomes: leave scope 'layer' out"):
        rt.draw(source, **SOFT, scope="layer")
    assert rt.draw(source, **SOFT, scope="layer", sparsity=0.9).sparsity == pytest.approx(0.9, abs=0.01)


def test_weights_cannot_be_taken_back(source: rt.Source) -> None:
    with pytest.raises(rt.UserError, match="use rewind 'none'"):
        rt.draw(source, **{**SOFT, "rewind": "pretrained"})
