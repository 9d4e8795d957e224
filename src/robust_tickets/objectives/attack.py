"""Projected gradient descent in a ball: the one attack that training and evaluation share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import F, nn, torch
from robust_tickets.objectives.threat import Ball, Threat

if TYPE_CHECKING:
    from torch import Tensor

Predict = Callable[["Tensor"], "Tensor"]
"""Float images in [0, 1], NCHW, to logits [N, C]."""

SampleLoss = Callable[["Tensor", "Tensor"], "Tensor"]
"""Logits and labels, as `attack` takes them, to one loss per sample [N]."""

Observe = Callable[["Tensor", "Tensor | None"], "Tensor"]
"""The gradients [n, ...] of one step and which images they belong to, int64 [n] (None: all, in order); returns the
gradients to follow."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each sample, in fp32 whatever the precision of the logits; of pixels their mean.

    Pixels labelled -100 count for nothing.
    """
    return per_image(F.cross_entropy(logits.float(), labels, reduction="none"))


def per_image(values: Tensor) -> Tensor:
    """Return the mean over everything but the first dimension: [N] as it is, [N, H, W] over pixels."""
    return values.reshape(len(values), -1).mean(1)


@contextmanager
def attack_mode(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the network as an attack should see it: eval mode, no gradients for parameters.

    Eval mode keeps attack passes out of the batch-norm statistics; parameters that need no gradient save
    a third of every attack pass. Each module's own mode and each parameter's own flag come back on exit.
    Of a `DistributedDataParallel` wrapper the wrapped module is yielded, because the wrapper expects
    every backward pass to reach the parameters.
    """
    network = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    modes = [(module, module.training) for module in network.modules()]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.eval()
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        for module, training in modes:
            module.training = training


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


def project(points: Tensor, images: Tensor, ball: Ball) -> Tensor:
    """Move points into the ball around `images`, then into the box [0, 1].

    In this order both hold at the end: the centre is in the box, so clamping to the box never moves a
    point away from it.
    """
    return (images + into_ball(points - images, ball)).clamp(0, 1)


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


def attack(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    generator: torch.Generator,
    loss: SampleLoss = cross_entropy,
    observe: Observe | None = None,
) -> Tensor:
    """Return the images moved, within the threat, to where the loss is high (Madry et al. 2018).

    The caller sets the network's mode, see `attack_mode`. Gradients are taken with respect to the images
    alone and afresh at every step; no parameter's `.grad` is touched. Under autocast the perturbed
    images stay fp32. With one restart the last point is returned without looking at it, as in training;
    with more, each image keeps its first misclassified point (of pixels: one where none is right), or
    else its point of highest loss, and images already misclassified are not attacked again.

    Args:
        predict: images to logits [N, C], deterministic; or of pixels [N, C, H, W].
        images: float [N, C, H, W] in [0, 1].
        labels: class indices [N], or of pixels [N, H, W]; or probabilities of the logits' shape.
        threat: norm, radius, steps, restarts.
        generator: source of the random starts, on any device.
        loss: what to maximise, per sample.
        observe: sees the gradients of every step, and may replace them.

    Returns:
        fp32 tensor of the images' shape, in [0, 1], within epsilon of the images up to fp32 rounding.
    """
    images = images.detach().float()
    if threat.restarts == 1:
        return _search(predict, images, labels, threat, generator, loss, observe, None)
    worst = images.clone()
    highest = torch.full((len(images),), -torch.inf, device=images.device)
    standing = torch.arange(len(images), device=images.device)
    for _ in range(threat.restarts):
        found = _search(predict, images[standing], labels[standing], threat, generator, loss, observe, standing)
        with torch.no_grad():
            logits = predict(found)
            right = logits.argmax(1) == _classes(labels[standing])
            fooled = ~right.reshape(len(right), -1).any(1)
            value = loss(logits, labels[standing])
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
    labels: Tensor,
    threat: Threat,
    generator: torch.Generator,
    loss: SampleLoss,
    observe: Observe | None,
    places: Tensor | None,
) -> Tensor:
    points = images
    if threat.random_start:
        points = (images + uniform_in_ball(images, threat, generator)).clamp(0, 1)
    for _ in range(threat.steps):
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            # The sum, not the mean: a sample's gradient does not shrink with the size of its batch.
            total = loss(predict(points), labels).sum()
        (gradient,) = torch.autograd.grad(total, points)
        if observe is not None:
            gradient = observe(gradient, places)
        points = project(points.detach() + threat.step_length * ascent(gradient, threat), images, threat)
    return points.detach()


def _classes(labels: Tensor) -> Tensor:
    return labels.argmax(1) if labels.is_floating_point() else labels
