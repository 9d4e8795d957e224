"""The geometry of a ball: steepest directions, the nearest point inside, uniform points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust_tickets.attacks.perturbable import PIXELS, Space
from robust_tickets.attacks.threat import Ball
from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """Reshape [N] so that it broadcasts over `like` [N, ...]."""
    return values.view(-1, *[1] * (like.dim() - 1))


def normalise(gradient: Tensor) -> Tensor:
    """Scale each sample of [N, ...] to L2 length 1; an all-zero sample stays zero.

    Confident networks give gradients whose squares underflow in fp32, hence the first scaling.
    """
    largest = gradient.abs().amax(dim=tuple(range(1, gradient.dim())), keepdim=True)
    scaled = gradient / torch.where(largest > 0, largest, 1)
    length = per_sample(torch.linalg.vector_norm(scaled.flatten(1), dim=1), scaled)
    return scaled / length.clamp(min=1)


def ascent(gradient: Tensor, ball: Ball) -> Tensor:
    """Return the steepest ascent direction of length 1 in the ball's norm (sign, or unit gradient)."""
    return gradient.sign() if ball.norm == "linf" else normalise(gradient)


def into_ball(delta: Tensor, ball: Ball) -> Tensor:
    """Return the perturbation within the ball nearest to `delta` in L2."""
    if ball.norm == "linf":
        return delta.clamp(-ball.epsilon, ball.epsilon)
    length = per_sample(torch.linalg.vector_norm(delta.flatten(1), dim=1), delta)
    return delta * (ball.epsilon / length.clamp(min=ball.epsilon))


def project(points: Tensor, images: Tensor, ball: Ball, space: Space = PIXELS) -> Tensor:
    """Move points into the ball around `images`, then into the space's box, of images [0, 1].

    In this order both hold at the end: the centre is in the box, so clamping to the box never moves a
    point away from it.
    """
    return space.inside(images + into_ball(points - images, ball))


def uniform_in_ball(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Draw one perturbation per image, uniformly by volume in the ball, on the generator's device.

    In L2: a Gaussian direction, and a radius epsilon * u^(1/d) in d dimensions.
    """
    noise = torch.empty(images.shape, dtype=torch.float32, device=generator.device)
    if ball.norm == "linf":
        return noise.uniform_(-ball.epsilon, ball.epsilon, generator=generator).to(images.device)
    direction = normalise(noise.normal_(generator=generator))
    uniform = torch.rand(len(images), generator=generator, device=generator.device)
    radius = ball.epsilon * uniform ** (1 / images[0].numel())
    return (direction * per_sample(radius, direction)).to(images.device)
