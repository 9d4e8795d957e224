"""Adam for weights that begin to train in the middle of a training: their steps are those of a fresh start."""

import math
from typing import Any

import torch
from torch import Tensor

AGE = "age"
"""The slot that counts the steps of each weight, of the weight's shape."""


def begin(optimiser: torch.optim.Optimizer, parameter: Tensor, where: Tensor) -> None:
    """Let weights, whose slots are zero, train from now on as if from the first step.

    Nothing is to be done for optimisers that count no steps: momentum that starts at zero is a fresh start.

    Args:
        optimiser: over `parameter` among others.
        parameter: whose weights begin.
        where: which of them, a bool tensor of its shape.
    """
    state = optimiser.state.get(parameter, {})
    if "step" in state and bool(where.any()):
        if AGE not in state:
            state[AGE] = torch.full_like(parameter, float(state["step"]), requires_grad=False)
        state[AGE].masked_fill_(where.to(parameter.device), 0.0)


@torch.no_grad()
def correct(optimiser: torch.optim.Optimizer, *_: Any) -> None:
    """Make the step just taken, of weights that began later than their tensor, the one of their own age.

    Adam divides its averages by 1 - beta^t, since they started at zero t steps ago (Kingma and Ba, 2015, arXiv
    1412.6980, section 3), and torch has one t for a tensor. A weight that RigL grows or AC/DC restores starts at zero
    later: with the tensor's t its first step would be (1 - beta1) / sqrt(1 - beta2) = 3.2 learning rates, and its
    twelfth 6.5. So each such weight counts its own steps k, and its step is exactly Adam's after k. Seeding the
    averages with one gradient instead would be no fresh start where that gradient happens to be small, and a restored
    weight has none.

    The count is a slot like the others (4 bytes a weight, once a tensor has such weights): it returns to zero where a
    mask changes, and is part of checkpoints. Called after every step of the optimiser.
    """
    for group in optimiser.param_groups:
        beta1, beta2 = group["betas"]
        for parameter in group["params"]:
            state = optimiser.state.get(parameter, {})
            if AGE not in state or parameter.grad is None:
                continue
            age, steps = state[AGE].add_(1.0), float(state["step"])
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            taken = (mean / bias(beta1, steps)) / ((square / bias(beta2, steps)).sqrt() + group["eps"])
            due = (mean / bias(beta1, age)) / ((square / bias(beta2, age)).sqrt() + group["eps"])
            parameter.add_(torch.where(age < steps, taken - due, 0.0), alpha=group["lr"])


def bias(beta: float, steps: Any) -> Any:
    """Return 1 - beta^steps, accurately where it is small; `steps`, at least 1, is a number or a tensor of them."""
    rate = math.log(beta) if beta else -math.inf
    return -torch.expm1(steps * rate) if torch.is_tensor(steps) else -math.expm1(steps * rate)
