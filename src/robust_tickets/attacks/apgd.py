"""Auto-PGD (Croce and Hein 2020, arXiv 2003.01690): PGD with momentum that halves its own step.

The step starts at 2 epsilon. At checkpoints ceil(p_j * steps), with p_1 = 0.22 and
p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06), an image's step is halved and its search goes on from its best
point where, since the last checkpoint, fewer than 3/4 of the steps raised the loss, or where the step was not
halved at the last checkpoint and the best loss has not risen since.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim, Misclassification
from robust_tickets.attacks.attack import Attack, Attacker, Observe, restarts_of
from robust_tickets.attacks.attack_log import AttackLog
from robust_tickets.attacks.image_streams import image_streams
from robust_tickets.attacks.losses import logits_ratio
from robust_tickets.attacks.persistence import persistent
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.projection import ascent, per_sample, project, uniform_in_ball
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

RISING = 0.75
"""Share of steps that has to raise the loss (rho of the paper)."""
MOMENTUM = 0.75
"""Share of the gradient step in a move; the rest is the move before (alpha of the paper)."""


class APGD(Attack):
    """Auto-PGD with cross-entropy or the difference-of-logits ratio; the threat gives ball and restarts."""

    kind: Literal["apgd"] = "apgd"
    loss: Literal["ce", "dlr"] = Field(
        default="ce",
        description="What is maximised: cross-entropy, or the difference-of-logits ratio (with two classes, the "
        "margin).",
    )
    steps: int = Field(default=100, ge=1, description="Gradient steps per restart.")

    def attacker(
        self,
        predict: Predict,
        threat: Threat,
        seed: int,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the search; what it finds for an image does not depend on the batch it comes in."""
        asked = aim if self.loss == "ce" else Misclassification(logits_ratio)

        def first(images: Tensor, labels: Tensor, observe: Observe) -> Tensor:
            return self.search(predict, images, labels, threat, asked, observe, (seed, "apgd", self.loss))

        def again(images: Tensor, labels: Tensor, observe: Observe, aim: Aim) -> Tensor:
            return self.search(predict, images, labels, threat, aim, observe, (seed, "apgd", "again"))

        return persistent(predict, first, again, threat, seed, log, asked)

    def search(
        self,
        predict: Predict,
        images: Tensor,
        labels: Tensor,
        threat: Threat,
        aim: Aim,
        observe: Observe,
        stream: tuple[int, str, str],
    ) -> Tensor:
        """Return the worst points of all restarts; the random starts come from streams below `stream`."""
        images = images.detach().float()
        worst, highest = images.clone(), torch.full((len(images),), -torch.inf, device=images.device)
        standing = torch.arange(len(images), device=images.device)
        for restart in range(threat.restarts):
            chance = image_streams(images[standing], *stream, restart)
            start = random_start(images[standing], threat, chance)
            found = climb(
                predict, images[standing], labels[standing], threat, start, aim, self.steps, observe, standing
            )
            better = found.fooled | (found.value > highest[standing])
            worst[standing[better]] = found.points[better]
            highest[standing[better]] = found.value[better]
            standing = standing[~found.fooled]
            if not len(standing):
                break
        return worst

    def describe(self, threat: Threat) -> str:
        """Return for example `APGD-CE, 100 steps, in L-inf 8/255`."""
        return f"APGD-{self.loss.upper()}, {self.steps} steps, in {threat.ball_name}{restarts_of(threat)}"


def checkpoints(steps: int) -> list[int]:
    """Return the steps, ascending, after which the step size is reconsidered."""
    places, before, share = [], 0.0, 0.22
    while share <= 1:
        places.append(ceil(round(share * steps, 9)))
        before, share = share, share + max(share - before - 0.03, 0.06)
    return list(dict.fromkeys(places))


def random_start(images: Tensor, ball: Ball, chance: list[torch.Generator]) -> Tensor:
    """Return a point, uniform by volume, of the ball around each image, moved into the box."""
    moved = [uniform_in_ball(image[None], ball, one) for image, one in zip(images, chance, strict=True)]
    return (images + torch.cat(moved)).clamp(0, 1)


@dataclass(frozen=True)
class SearchEnd:
    """Where a search ended: each image's first misclassified point, or else its point of highest loss."""

    points: Tensor
    value: Tensor
    """Loss at the points, [N]."""
    fooled: Tensor
    """Bool [N]: whether the point is misclassified."""


@dataclass
class _Climb:
    """The images still searched for. Each field has one entry per image."""

    place: Tensor
    centre: Tensor
    label: Tensor
    point: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    step: Tensor
    rises: Tensor
    checked_value: Tensor
    halved: Tensor

    def keep(self, chosen: Tensor) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[chosen])

    def move(self, ball: Ball, momentum: float) -> None:
        ahead = project(self.point + per_sample(self.step, self.point) * ascent(self.gradient, ball), self.centre, ball)
        move = momentum * (ahead - self.point) + (1 - momentum) * (self.point - self.before)
        self.before, self.point = self.point, project(self.point + move, self.centre, ball)

    def note(self, value: Tensor, gradient: Tensor) -> None:
        self.rises = self.rises + (value > self.value)
        self.value, self.gradient = value, gradient
        better = value > self.best_value
        self.best = torch.where(per_sample(better, self.best), self.point, self.best)
        self.best_gradient = torch.where(per_sample(better, self.best), gradient, self.best_gradient)
        self.best_value = torch.maximum(value, self.best_value)

    def halve_where_stuck(self, steps: int) -> None:
        stuck = (self.rises < RISING * steps) | (~self.halved & (self.best_value <= self.checked_value))
        self.step = torch.where(stuck, self.step / 2, self.step)
        self.point = torch.where(per_sample(stuck, self.point), self.best, self.point)
        self.gradient = torch.where(per_sample(stuck, self.point), self.best_gradient, self.gradient)
        self.halved, self.checked_value, self.rises = stuck, self.best_value, torch.zeros_like(self.rises)


def climb(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    start: Tensor,
    aim: Aim,
    steps: int,
    observe: Observe | None = None,
    numbers: Tensor | None = None,
) -> SearchEnd:
    """Search once from `start`; images already misclassified are not searched for any further.

    `observe` sees the gradients of every step, with the images' `numbers` (by default their places).
    """

    def look(points: Tensor, labels: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            logits = predict(points)
            values = aim.loss(logits, labels)
            (gradient,) = torch.autograd.grad(values.sum(), points)
        if observe is not None:
            gradient = observe(gradient, place if numbers is None else numbers[place])
        return values.detach(), gradient, aim.succeeded(logits, labels)

    everywhere = torch.arange(len(images), device=images.device)
    value, gradient, fooled = look(start, labels, everywhere)
    points, highest, beaten = start.clone(), value.clone(), fooled.clone()
    state = _Climb(
        place=everywhere,
        centre=images,
        label=labels,
        point=start,
        before=start,
        gradient=gradient,
        value=value,
        best=start,
        best_gradient=gradient,
        best_value=value,
        step=torch.full_like(value, 2 * ball.epsilon),
        rises=torch.zeros_like(everywhere),
        checked_value=value,
        # As if halved: the first checkpoint asks for rising steps alone.
        halved=torch.ones_like(fooled),
    )
    state.keep(~fooled)
    checked, places = 0, set(checkpoints(steps))
    for step in range(1, steps + 1):
        if not len(state.place):
            break
        state.move(ball, MOMENTUM if step > 1 else 1.0)
        value, gradient, fooled = look(state.point, state.label, state.place)
        state.note(value, gradient)
        fallen = state.place[fooled]
        points[fallen], highest[fallen], beaten[fallen] = state.point[fooled], value[fooled], True
        state.keep(~fooled)
        if step in places:
            state.halve_where_stuck(step - checked)
            checked = step
    points[state.place], highest[state.place] = state.best, state.best_value
    return SearchEnd(points, highest, beaten)
