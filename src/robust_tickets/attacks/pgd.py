"""Projected gradient descent (Madry et al. 2018): the one search that training and evaluation share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack import Attack, Attacker, Observe
from robust_tickets.attacks.attack_log import AttackLog
from robust_tickets.attacks.persistence import persistent
from robust_tickets.attacks.perturbable import PIXELS, Space
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.projection import ascent, project, uniform_in_ball
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.batch import taken
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor


class PGD(Attack):
    """Projected gradient descent; steps, step size and start are the threat's."""

    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    kind: Literal["pgd"] = "pgd"

    def attacker(
        self,
        predict: Predict,
        threat: Threat,
        seed: int,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the search; its starts come from one stream, in the order of the images."""
        chance, other = generator(seed, "evaluation"), generator(seed, "evaluation", "again")

        def first(images: Tensor, targets: Any, observe: Observe) -> Tensor:
            return pgd(predict, images, targets, threat, chance, aim, observe)

        def again(images: Tensor, targets: Any, observe: Observe, aim: Aim) -> Tensor:
            return pgd(predict, images, targets, threat, other, aim, observe)

        return persistent(predict, first, again, threat, seed, log, aim)

    def describe(self, threat: Threat) -> str:
        """Return for example `PGD-20 in L-inf 8/255, 5 restarts`."""
        return threat.describe()


def pgd(
    predict: Predict,
    images: Tensor,
    targets: Any,
    threat: Threat,
    generator: torch.Generator,
    aim: Aim = MISCLASSIFICATION,
    observe: Observe | None = None,
    space: Space = PIXELS,
) -> Tensor:
    """Return the images moved, within the threat, to where the aim's loss is high.

    The caller sets the network's mode, see `attack_mode`. Gradients are taken with respect to the images
    alone and afresh at every step; no parameter's `.grad` is touched. Under autocast the perturbed
    images stay fp32. With one restart the last point is returned without looking at it, as in training;
    with more, each image keeps its first point at which the aim is reached, or else its point of highest
    loss, and images at which it has been reached are not attacked again.

    Args:
        predict: images to outputs, deterministic.
        images: float [N, C, H, W] in [0, 1].
        targets: of these images, of a kind that the aim knows.
        threat: norm, radius, steps, restarts.
        generator: source of the random starts, on any device.
        aim: what to maximise, and when it is reached; by default that class logits of images or pixels are wrong.
        observe: sees the gradients of every step, and may replace them.
        space: where points may lie; `images` may be whatever an attack moves, see `perturbable`.

    Returns:
        fp32 tensor of the images' shape, in [0, 1] (or where else `space` says), within epsilon of the images up to
        fp32 rounding.
    """
    images = images.detach().float()
    if threat.restarts == 1:
        return _search(predict, images, targets, threat, generator, aim, observe, None, space)
    worst = images.clone()
    highest = torch.full((len(images),), -torch.inf, device=images.device)
    standing = torch.arange(len(images), device=images.device)
    for _ in range(threat.restarts):
        left = taken(targets, standing)
        found = _search(predict, images[standing], left, threat, generator, aim, observe, standing, space.of(standing))
        with torch.no_grad():
            outputs = predict(found)
            fooled, value = aim.succeeded(outputs, left), aim.loss(outputs, left)
        better = fooled | (value > highest[standing])
        worst[standing[better]] = found[better]
        highest[standing] = torch.maximum(highest[standing], value)
        standing = standing[~fooled]
        if not len(standing):
            break
    return worst


def _search(
    predict: Predict,
    images: Tensor,
    targets: Any,
    threat: Threat,
    generator: torch.Generator,
    aim: Aim,
    observe: Observe | None,
    places: Tensor | None,
    space: Space,
) -> Tensor:
    points = images
    if threat.random_start:
        points = space.inside(images + space.allowed(uniform_in_ball(images, threat, generator)))
    for _ in range(threat.steps):
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            # The sum, not the mean: an image's gradient does not shrink with the size of its batch.
            total = aim.loss(predict(points), targets).sum()
        (gradient,) = torch.autograd.grad(total, points)
        if observe is not None:
            gradient = observe(gradient, places)
        step = threat.step_length * ascent(space.allowed(gradient), threat)
        points = project(points.detach() + step, images, threat, space)
    return points.detach()
