"""Optimisers: torch's own, with the decay and head groups that transfer papers use.

They are torch's fused ones, which update each weight in one pass over memory, without copies: on a CPU a step of AdamW
takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Settings


class SGD(Settings):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.01, gt=0, description="Learning rate of the body at its peak.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum, in [0, 1).")
    nesterov: bool = Field(default=False, description="Nesterov momentum.")
    weight_decay: float = Field(default=5e-4, ge=0, description="L2 penalty added to the gradient.")

    @property
    def travel(self) -> float | None:
        """How far a constant gradient of 1 moves a weight, over the sum of its learning rates."""
        return 1 / (1 - self.momentum)

    def build(self, groups: Sequence[dict]) -> torch.optim.Optimizer:
        """Return the optimiser over parameter groups `{params, lr, weight_decay}`."""
        return torch.optim.SGD(list(groups), momentum=self.momentum, nesterov=self.nesterov, fused=True)


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, description="Learning rate of the body at its peak.")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="Averaging of gradient and its square.")
    weight_decay: float = Field(default=0.01, ge=0, description="Decoupled decay, times the learning rate.")

    @property
    def travel(self) -> float | None:
        """None: how far a gradient moves a weight depends on the other gradients of that weight."""
        return None

    def build(self, groups: Sequence[dict]) -> torch.optim.Optimizer:
        """Return the optimiser over parameter groups `{params, lr, weight_decay}`; see `ages.correct`."""
        from robust_tickets.training.ages import correct

        optimiser = torch.optim.AdamW(list(groups), betas=self.betas, fused=True)
        optimiser.register_step_post_hook(correct)
        return optimiser


Optimiser = Annotated[SGD | AdamW, Field(discriminator="kind"), Shorthand]


def parameter_groups(
    named: Sequence[tuple[str, nn.Parameter]],
    settings: SGD | AdamW,
    *,
    is_head: Sequence[bool],
    head_lr: float | None,
    peaks: Mapping[str, float] | None = None,
    own_lr: Mapping[str, float] | None = None,
    own_decay: Mapping[str, float] | None = None,
) -> list[dict]:
    """Split parameters into body and head, each with its own peak learning rate, and those that have one by name.

    Weight decay applies to every parameter, as in the transfer papers, but not to those in `own_lr`, which are no
    weights; those in `own_decay` learn at the body's rate. `peak_lr` is what schedules scale.
    """
    own = {name: (lr, 0.0) for name, lr in (own_lr or {}).items()}
    own |= {name: (settings.lr, decay) for name, decay in (own_decay or {}).items()}
    peaks = peaks or {}
    parts: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for (name, parameter), head in sorted(zip(named, is_head, strict=True), key=lambda entry: entry[1]):
        if name not in own:
            lr = peaks.get(name, (head_lr or settings.lr) if head else settings.lr)
            parts.setdefault((head, lr), []).append(parameter)
    groups: list[dict] = [
        {"params": chosen, "lr": lr, "peak_lr": lr, "weight_decay": settings.weight_decay, "head": head}
        for (head, lr), chosen in parts.items()
    ]
    for lr, decay in sorted(set(own.values())):
        chosen = [p for name, p in named if own.get(name) == (lr, decay)]
        groups.append({"params": chosen, "lr": lr, "peak_lr": lr, "weight_decay": decay, "head": False})
    return groups
