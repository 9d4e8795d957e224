"""A ticket of a small network, a few images, and steps as a user writes them."""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import robust_tickets as rt


@cache
def drawn() -> rt.Ticket:
    source = rt.load_source(
        rt.SourceSettings(name="cifar/resnet8", weights="random", num_classes=4, preprocessing={"size": 16})
    )
    return rt.draw(source, sparsity=0.7)


def network() -> rt.Network:
    return drawn().subnetwork()


@cache
def examples() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (48,), generator=noise)
    images = 0.4 * torch.rand(48, 3, 16, 16, generator=noise)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * int(label) : 4 * int(label) + 4] += 0.5
    return images, labels


def train(model: Callable[[Tensor], Tensor], optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    images, labels = examples()
    for step in range(steps):
        part = slice(16 * (step % 3), 16 * (step % 3) + 16)

        def closure(part: slice = part) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[part]), labels[part])
            loss.backward()
            return loss

        optimizer.step(closure)


def nonzero(module: nn.Module, ticket: rt.Ticket) -> int:
    """Return how many removed weights are not exactly zero."""
    weights = dict(module.named_parameters())
    return sum(int((weights[name][~mask] != 0).sum()) for name, mask in ticket.masks.items())


def moved(module: nn.Module, ticket: rt.Ticket) -> bool:
    """Return whether kept weights have been trained."""
    before = dict(ticket.subnetwork().body.named_parameters())
    weights = dict(module.named_parameters())
    return all(bool((weights[name] != before[name])[mask].any()) for name, mask in ticket.masks.items())
