"""Movement pruning in the loop: removed weights live on until the ticket, and are gone in it."""

from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from robust_tickets.pruning.parametrisations import Movement, SoftMovement, SoftThreshold
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.rewinds import NoRewind, PretrainedRewind
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Gradual, OneShot
from robust_tickets.training.drawing import Drawing
from tests.training.small import PER_EPOCH, PRUNABLE, Run, classifier, removed, watched_steps, weights

LEARNED = Selection.model_validate({"score": "learned"})
GRADUAL = Gradual(initial=0.2, start=0.5, end=2, every=0.25, epochs=3).plan(0.7, PER_EPOCH)
ONE_SHOT = OneShot(epochs=2).plan(0.7, PER_EPOCH)


@pytest.mark.parametrize("changes", [{}, {"ema": 0.8}, {"optimiser": {"kind": "adamw", "lr": 0.01}}])
@pytest.mark.parametrize(
    ("plan", "drawing"),
    [
        (GRADUAL, Drawing(LEARNED, parametrisation=Movement())),
        (ONE_SHOT, Drawing(LEARNED, parametrisation=SoftMovement(), rewind=NoRewind())),
        (ONE_SHOT, Drawing(LEARNED, parametrisation=SoftThreshold(start=-4), rewind=NoRewind(), sparsity=0.7)),
    ],
    ids=["movement", "soft", "soft threshold"],
)
def test_removed_weights_keep_their_values_until_the_ticket(
    plan: Any, drawing: Drawing, changes: dict[str, Any]
) -> None:
    network = classifier()
    with watched_steps(network) as seen:
        run = Run(plan, changes, drawing=drawing, network=network)
    assert all(bool(is_there.all()) for step in seen for is_there in step.values())
    ((_, masks, state),) = run.tickets
    total = sum(mask.numel() for mask in masks.values())
    assert removed(masks) == exact_count(0.7, total)
    for name in PRUNABLE:
        assert not state[name][~masks[name]].any()
        assert state[name][masks[name]].all()
        assert not torch.equal(state[name][masks[name]], weights(classifier())[name][masks[name]]), "weights trained"
        assert torch.equal(run.state[name], state[name])


def test_movement_masks_over_the_source_restart_from_it() -> None:
    run = Run(ONE_SHOT, drawing=Drawing(LEARNED, parametrisation=Movement(), rewind=PretrainedRewind()))
    ((_, masks, state),) = run.tickets
    for name, weight in weights(classifier()).items():
        assert torch.equal(state[name], weight * masks[name])


def test_scores_step_at_their_own_rate_without_decay() -> None:
    groups: list[list[tuple[float, float, int]]] = []
    hook = register_optimizer_step_post_hook(
        lambda optimiser, *_: groups.append(
            [(group["lr"], group["weight_decay"], len(group["params"])) for group in optimiser.param_groups]
        )
    )
    changes = {"optimiser": {"kind": "adamw", "lr": 0.001, "weight_decay": 0.1}, "schedule": {"kind": "constant"}}
    try:
        Run(ONE_SHOT, {**changes, "head_lr": 0.002}, drawing=Drawing(LEARNED, parametrisation=Movement(lr=0.5)))
    finally:
        hook.remove()
    body, head, scores = groups[0]
    assert body[:2] == (0.001, 0.1)
    assert head[:2] == (0.002, 0.1)
    assert scores == (0.5, 0.0, len(PRUNABLE))
