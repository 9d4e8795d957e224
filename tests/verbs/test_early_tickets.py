"""Lottery tickets for transfer from an early step: masks of a whole training, weights of its first steps."""

import torch

import robust_tickets as rt
from tests.verbs.small import PARTS, QUICK, Bright, small_source

SGD = {"batch_size": 20, "optimiser": {"kind": "sgd", "lr": 0.1}, "schedule": "constant"}


def test_the_ticket_carries_weights_of_the_early_step_and_reaches_another_task_untrained() -> None:
    source = small_source()
    rounds = {"kind": "iterative", "rate": 0.5, "epochs": 4}
    ticket = rt.draw(
        source, sparsity=0.75, timeline=rounds, rewind={"kind": "step", "steps": 3}, data=PARTS, training=SGD
    )
    early = rt.pretrain(small_source(), PARTS, **SGD, epochs=1).network.plain_state()  # three steps
    state = ticket.subnetwork().plain_state()
    assert ticket.init == "stored"
    for name in ticket.prunable:
        assert torch.equal(state[name], early[name] * ticket.masks[name])
        assert not torch.equal(early[name], source.network.plain_state()[name])
    other = {"train": Bright(60, seed=5, classes=2), "test": Bright(30, seed=6, classes=2)}
    settings = {**QUICK, "seeds": (0,)}
    linear = rt.transfer(ticket, other, mode="linear", bn="source", **settings).runs[0].network.plain_state()
    for name, value in linear.items():
        assert torch.equal(value, state[name]) == (not name.startswith("classifier.")), name
