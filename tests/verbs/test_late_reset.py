"""Late reset (Mehta, 2019, arXiv 1905.07785): survivors return to the end of the source's training."""

from typing import Any

import pytest
import torch

import robust_tickets as rt
from tests.verbs.small import PARTS, THOROUGH, small_source

ROUNDS = {"kind": "iterative", "rate": 0.5, "epochs": 2, "rewind_every_round": False}
TRAINING = {"batch_size": 20, "optimiser": {"kind": "sgd", "lr": 0.1}}


@pytest.mark.parametrize("timeline", [ROUNDS, {"kind": "one-shot"}])
def test_survivors_return_to_where_the_sources_training_ended(timeline: dict[str, Any]) -> None:
    start = small_source().network.plain_state()
    source = rt.pretrain(small_source(), PARTS, **THOROUGH)
    trained = source.network.plain_state()
    training = {"data": PARTS, "training": TRAINING} if timeline is ROUNDS else {}
    ticket = rt.draw(source, sparsity=0.75, timeline=timeline, **training)
    assert ticket.init == "source"
    state = ticket.subnetwork().plain_state()
    for name, value in state.items():
        kept = ticket.masks.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, trained[name] * kept), name
    for name in ticket.prunable:
        kept = ticket.masks[name]
        assert not torch.equal(state[name][kept], start[name][kept]), name
