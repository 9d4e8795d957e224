"""Rule 1: a pruned weight is exactly zero after every optimiser step, whatever the optimiser does."""

import pytest
import torch

from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.select import Selection
from tests.training.small import PRUNABLE, Run, classifier, watched_steps, weights

OPTIMISERS = {
    "momentum and decay": {"optimiser": {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}},
    "nesterov": {"optimiser": {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True}},
    "adamw": {"optimiser": {"kind": "adamw", "lr": 0.01, "weight_decay": 0.5}},
    "average": {"ema": 0.9},
    "clipped and accumulated": {"clip_norm": 0.1, "accumulate": 3},
    "free": {"objective": {"kind": "free", "epsilon": 0.1}},
    "bf16": {"precision": "bf16"},
}


def drawn(group: str = "element") -> Masks:
    network = classifier()
    selection = Selection.model_validate({"group": group, "scope": "global" if group == "element" else "layer"})
    couplings = ()
    if group == "channel":
        couplings = trace_couplings(network.body, torch.zeros(1, 1, 8, 8), PRUNABLE)
    return selection.select(weights(network), sparsity=0.75 if group == "element" else 0.5, couplings=couplings)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_mask_never_drifts(name: str) -> None:
    masks, network = drawn(), classifier()
    with watched_steps(network) as steps:
        run = Run(Plan(8, ()), OPTIMISERS[name], masks=masks, network=network)
    assert len(steps) == (32 if name == "free" else 8)
    assert all(torch.equal(step[key], masks[key]) for step in steps for key in PRUNABLE)
    assert all(torch.equal(run.state[key] != 0, masks[key]) for key in PRUNABLE)


def test_survivors_train() -> None:
    run = Run(Plan(8, ()), masks=drawn())
    before = classifier().plain_state()
    moved = {name: value != before[name] for name, value in run.state.items()}
    masks = drawn()
    assert all(bool(moved[name][masks[name]].all()) for name in PRUNABLE)


def test_biases_and_norms_of_removed_channels_stay_zero_too() -> None:
    masks = drawn("channel")
    followers = set(masks) - set(PRUNABLE)
    assert {"conv1.bias", "bn1.weight", "bn1.bias"} <= followers
    run = Run(Plan(8, ()), {"optimiser": {"kind": "adamw", "lr": 0.01}, "ema": 0.5}, masks=masks)
    for name, mask in masks.items():
        assert not bool(mask.all())
        assert bool((run.state[name][~mask] == 0).all())
