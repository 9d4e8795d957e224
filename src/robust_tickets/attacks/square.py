"""Square attack (Andriushchenko et al. 2020, arXiv 1912.00049): random search that needs only logits.

It needs no gradients, so it runs on an exported file as it does on a network, and it sees through defences that
only spoil gradients. A candidate differs from the best point so far in one square, and replaces it where it lowers
the margin of the right class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack import Attack, Attacker, restarts_of
from robust_tickets.attacks.attack_log import AttackLog
from robust_tickets.attacks.image_streams import image_streams
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.projection import normalise, per_sample, project
from robust_tickets.attacks.square_shapes import bump, inside, side_length
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

DRAWN_AT_ONCE = 100
"""Queries whose random numbers are drawn together."""


class Square(Attack):
    """Square attack on the margin; the threat gives ball and restarts."""

    gradient_free = True
    kind: Literal["square"] = "square"
    queries: int = Field(default=5000, ge=1, description="Maximum number of forward passes per image and restart.")
    area: float = Field(
        default=0.8, gt=0, le=1, description="Share of the image covered by the first squares, in (0, 1]."
    )

    def attacker(
        self,
        predict: Predict,
        threat: Threat,
        seed: int,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the search; what it finds for an image does not depend on the batch it comes in."""

        @torch.no_grad()
        def attacker(images: Tensor, labels: Tensor) -> Tensor:
            images = images.detach().float()
            worst, lowest = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
            standing = torch.arange(len(images), device=images.device)
            for restart in range(threat.restarts):
                chance = image_streams(images[standing], seed, "square", restart)
                points, left = search(
                    predict, images[standing], labels[standing], threat, chance, self.queries, self.area
                )
                fooled = left == -torch.inf
                better = left < lowest[standing]
                worst[standing[better]] = points[better]
                lowest[standing[better]] = left[better]
                standing = standing[~fooled]
                if not len(standing):
                    break
            return worst

        return attacker

    def describe(self, threat: Threat) -> str:
        """Return for example `Square, 5000 queries, in L-inf 8/255`."""
        return f"Square, {self.queries} queries, in {threat.ball_name}{restarts_of(threat)}"


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the right class's logit minus the highest other, [N]; minus infinity where misclassified."""
    logits = logits.float()
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return torch.where(logits.argmax(1) == labels, own - others, -torch.inf)


def search(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    chance: list[torch.Generator],
    queries: int,
    area: float,
) -> tuple[Tensor, Tensor]:
    """Search once; return points like the images, and the margins [N] there: minus infinity where misclassified."""
    channels, height, width = images.shape[1:]
    draws = 5 + channels
    points = project(images + _start(images, ball, chance), images, ball)
    lowest = margin(predict(points), labels)
    standing = (lowest > -torch.inf).nonzero().squeeze(1)
    numbers = images.new_empty(0)
    for query in range(queries - 1):
        if not len(standing):
            break
        if query % DRAWN_AT_ONCE == 0:
            block = [torch.rand(DRAWN_AT_ONCE, draws, generator=chance[place]) for place in standing.tolist()]
            numbers = torch.stack(block).to(images.device)
        side = side_length(query, queries, area, height, width, 1 if ball.norm == "linf" else 3)
        centre, label = images[standing], labels[standing]
        change = _add_square if ball.norm == "linf" else _move_mass
        delta = change(points[standing] - centre, side, ball.epsilon, numbers[:, query % DRAWN_AT_ONCE])
        candidate = project(centre + delta, centre, ball)
        found = margin(predict(candidate), label)
        better = found < lowest[standing]
        points[standing[better]] = candidate[better]
        lowest[standing[better]] = found[better]
        still = found > -torch.inf
        standing, numbers = standing[still], numbers[still]
    return points, lowest


def _start(images: Tensor, ball: Ball, chance: list[torch.Generator]) -> Tensor:
    """Return vertical stripes of +-epsilon in L-inf, and a tiling of bumps of length epsilon in L2."""
    channels, height, width = images.shape[1:]
    if ball.norm == "linf":
        signs = torch.stack([_signs((channels, 1, width), one) for one in chance])
        return (ball.epsilon * signs).expand(images.shape).to(images.device)
    side = max(min(height, width) // 5, 1)
    down, across = height // side, width // side
    signs = torch.stack([_signs((channels, down, across), one) for one in chance])
    turned = torch.stack([_signs((1, down, across), one) for one in chance]) > 0

    def tiled(values: Tensor) -> Tensor:
        return values.repeat_interleave(side, 2).repeat_interleave(side, 3)

    shapes = torch.where(tiled(turned), bump(side).T.repeat(down, across), bump(side).repeat(down, across))
    delta = torch.zeros(images.shape)
    top, left = (height - down * side) // 2, (width - across * side) // 2
    delta[:, :, top : top + down * side, left : left + across * side] = shapes * tiled(signs)
    return (ball.epsilon * normalise(delta)).to(images.device)


def _add_square(delta: Tensor, side: int, epsilon: float, numbers: Tensor) -> Tensor:
    """Add +-2 epsilon, with one sign per channel, in a square: projected, that is +-epsilon there."""
    where = inside(*_corner(delta, side, numbers[:, 0], numbers[:, 1]), side, *delta.shape[2:])
    signs = torch.where(numbers[:, 5:, None, None] < 0.5, -1.0, 1.0)
    return delta + 2 * epsilon * where * signs


def _move_mass(delta: Tensor, side: int, epsilon: float, numbers: Tensor) -> Tensor:
    """Empty one square of the perturbation, and spend what that frees of the L2 budget on a bump in another."""
    channels, height, width = delta.shape[1:]
    side -= 1 - side % 2
    top, left = _corner(delta, side, numbers[:, 0], numbers[:, 1])
    filled = inside(top, left, side, height, width)
    emptied = inside(*_corner(delta, side, numbers[:, 2], numbers[:, 3]), side, height, width)
    freed = (delta * (filled | emptied)).square().sum((2, 3), keepdim=True)
    unused = (epsilon**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp(min=0) / channels
    run = torch.arange(side, device=delta.device)
    window = (
        torch.arange(len(delta), device=delta.device)[:, None, None, None],
        torch.arange(channels, device=delta.device)[None, :, None, None],
        (top[:, None] + run)[:, None, :, None],
        (left[:, None] + run)[:, None, None, :],
    )
    old = delta[window]
    signs = torch.where(numbers[:, 5:, None, None] < 0.5, -1.0, 1.0)
    hill = bump(side).to(delta.device)
    new = torch.where(per_sample(numbers[:, 4] < 0.5, old), hill.T, hill) * signs + old / _length(old)
    changed = delta.masked_fill(emptied, 0)
    changed[window] = new / _length(new) * (unused + freed).sqrt()
    return epsilon * normalise(changed)


def _corner(delta: Tensor, side: int, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Turn uniform numbers [N] in [0, 1) into the top left corners of squares inside the image."""
    height, width = delta.shape[2:]
    return (row * (height - side + 1)).long(), (column * (width - side + 1)).long()


def _length(values: Tensor) -> Tensor:
    """Return the L2 length of each channel, [N, C, 1, 1], never zero."""
    return torch.linalg.vector_norm(values, dim=(2, 3), keepdim=True).clamp(min=1e-12)


def _signs(shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    return 1.0 - 2.0 * torch.randint(0, 2, shape, generator=chance)
