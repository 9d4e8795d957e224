"""Weights that are grown or restored under AdamW take the steps of a fresh start."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Alternating, DropAndGrowTimeline
from robust_tickets.training.ages import AGE, begin
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.optimisers import SGD, AdamW
from tests.training.small import PER_EPOCH, PRUNABLE, Run, classifier

LR = 0.01


def optimiser_over(parameter: nn.Parameter, settings: SGD | AdamW) -> torch.optim.Optimizer:
    return settings.build([{"params": [parameter], "lr": LR, "weight_decay": settings.weight_decay}])


def slopes(count: int, seed: int) -> Tensor:
    """Return gradients [count, 4]; the last but one is tiny at first, and the last one nothing at all."""
    gradients = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) + 0.5
    gradients[:2, 2], gradients[:2, 3] = 1e-7, 0.0
    return gradients


def walk(parameter: nn.Parameter, optimiser: torch.optim.Optimizer, gradients: Tensor) -> Tensor:
    """Take a step for each gradient; return the weights after each, [steps, weights]."""
    path = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
        path.append(parameter.detach().clone())
    return torch.stack(path)


def forget(optimiser: torch.optim.Optimizer, parameter: nn.Parameter, where: Tensor) -> None:
    """Let weights begin from zero, as masks in force do it."""
    with torch.no_grad():
        parameter.mul_(~where)
        for slot in optimiser.state[parameter].values():
            if slot.shape == parameter.shape:
                slot.mul_(~where)
    begin(optimiser, parameter, where)


@pytest.mark.parametrize("behind", [1, 30, 4000])
def test_a_grown_weight_moves_one_rate_a_step_under_a_constant_gradient(behind: int) -> None:
    """Zeroed slots alone would give 3.2 rates in the first step, and 6.5 in the twelfth."""
    parameter = nn.Parameter(torch.zeros(4))
    optimiser = optimiser_over(parameter, AdamW(weight_decay=0))
    walk(parameter, optimiser, torch.ones(behind, 4))
    forget(optimiser, parameter, torch.tensor([True, False, False, False]))
    start = parameter.detach().clone()
    path = walk(parameter, optimiser, torch.full((50, 4), -0.02))
    steps = torch.diff(torch.cat([start[:1], path[:, 0]])) / LR
    assert torch.allclose(steps, torch.ones(50), atol=1e-3)


@pytest.mark.parametrize("settings", [AdamW(weight_decay=0.1), AdamW(betas=(0.0, 0.9)), SGD(), SGD(nesterov=True)])
def test_weights_that_begin_later_train_as_those_of_a_fresh_optimiser(settings: SGD | AdamW) -> None:
    """Also those that had been given back, whose first gradient is tiny, and that begin twice."""
    parameter, fresh = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(4))
    optimiser = optimiser_over(parameter, settings)
    walk(parameter, optimiser, slopes(100, 1))
    forget(optimiser, parameter, torch.tensor([True, True, False, False]))
    walk(parameter, optimiser, slopes(7, 2))
    later = torch.tensor([True, False, True, True])
    forget(optimiser, parameter, later)
    gradients = slopes(200, 3)
    path = walk(parameter, optimiser, gradients)
    expected = walk(fresh, optimiser_over(fresh, settings), gradients)
    assert torch.allclose(path[:, later], expected[:, later], rtol=1e-4, atol=1e-5 * LR)


def test_weights_that_have_trained_all_along_do_not_notice() -> None:
    one, other = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
    first, second = (optimiser_over(parameter, AdamW()) for parameter in (one, other))
    walk(one, first, slopes(20, 1))
    walk(other, second, slopes(20, 1))
    forget(first, one, torch.tensor([True, False, False, False]))
    path, expected = walk(one, first, slopes(50, 2)), walk(other, second, slopes(50, 2))
    assert torch.equal(path[:, 1:], expected[:, 1:])


@contextmanager
def lengths_of_first_steps() -> Iterator[list[float]]:
    """Yield a list that gains, at each step, the longest of a weight at its first one since its tensor's first."""
    seen: list[float] = []
    before: dict[Tensor, Tensor] = {}

    def look(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        (group, *_rest) = optimiser.param_groups
        for parameter in group["params"]:
            ages = optimiser.state[parameter].get(AGE)
            if ages is not None and parameter in before:
                young = (ages == 1) & (parameter != before[parameter]) & (before[parameter] == 0)
                moved = (parameter.detach() - before[parameter]).abs()[young] / group["lr"]
                seen.extend([] if not len(moved) else [float(moved.max())])
            before[parameter] = parameter.detach().clone()

    hook = register_optimizer_step_post_hook(look)
    try:
        yield seen
    finally:
        hook.remove()


ADAMW = {"optimiser": {"kind": "adamw", "lr": LR, "weight_decay": 0}, "schedule": {"kind": "constant"}}
RIGL = Selection.model_validate({"score": "random", "scope": "erk"})
MOVING = DropAndGrowTimeline(every=4, fraction=0.5, end=0.9, epochs=8).plan(0.8, PER_EPOCH)
IN_TURN = Alternating(warm_up=2, compressed=2, dense=2, final=7, epochs=8).plan(0.8, PER_EPOCH)


@pytest.mark.parametrize(("plan", "drawing"), [(MOVING, Drawing(RIGL)), (IN_TURN, Drawing())])
def test_grown_and_restored_weights_begin_with_a_step_of_one_rate(plan: Plan, drawing: Drawing) -> None:
    network = classifier()
    with lengths_of_first_steps() as steps:
        Run(plan, ADAMW, drawing=drawing, network=network)
    assert len(steps) >= len(PRUNABLE)
    assert steps == pytest.approx([1.0] * len(steps), abs=0.02)
