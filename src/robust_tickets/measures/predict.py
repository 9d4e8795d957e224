"""The one view of a network that every measure has: images in, logits out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.attack import Predict, attack_mode

if TYPE_CHECKING:
    from torch import Tensor

Batches = Iterable[tuple["Tensor", "Tensor"]]
"""Pairs of float images [N, C, H, W] in [0, 1] and class indices [N]."""


@contextmanager
def evaluation_mode(network: nn.Module, device: torch.device | str) -> Iterator[Predict]:
    """Yield `predict`: the network in eval mode and fp32, without parameter gradients.

    Images may come from any device and go to `device`, where the network must be. Autocast around this
    context is switched off, but not one wrapped into the network's own forward pass: give the plain
    module. Modes and flags come back on exit; parameters, gradients and buffers are never touched.
    """
    device = torch.device(device)
    with attack_mode(network) as plain, torch.autocast(device.type, enabled=False):
        yield lambda images: plain(images.to(device, torch.float32))


def logits(predict: Predict, batches: Batches) -> tuple[Tensor, Tensor]:
    """Return logits [N, C] and labels [N] of all batches in order, on the CPU, logits in fp32."""
    with torch.no_grad():
        pairs = [(predict(images).float().cpu(), labels.cpu()) for images, labels in batches]
    return torch.cat([batch for batch, _ in pairs]), torch.cat([labels for _, labels in pairs])
