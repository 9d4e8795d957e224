"""The statistics that batch norms keep of their training data: read and recomputed."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from robust_tickets.foundation.batch import moved
from robust_tickets.measures.logits import Batches
from robust_tickets.models.frozen_norms import FrozenNorm
from robust_tickets.models.network import Network

CALIBRATION_EXAMPLES = 2048
"""Most training examples that statistics are computed on anew: more change the averages by little."""


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a network keeps running statistics of its batches."""
    return bool(batch_norm_statistics(network))


def batch_norm_statistics(network: nn.Module) -> dict[str, Tensor]:
    """Return copies, on the CPU, of the buffers in which batch norms keep their statistics, by name.

    Those of frozen norms are none: they are of no batches here.
    """
    return {
        f"{path}.{name}".lstrip("."): buffer.detach().cpu().clone()
        for path, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None and not isinstance(module, FrozenNorm)
        for name, buffer in module.named_buffers(recurse=False)
    }


def recalibrate(network: Network, batches: Batches) -> None:
    """Replace batch-norm statistics by the plain averages over `batches` of images.

    A last batch of one image is left out: it may have no variance, and would weigh as much as a whole batch.
    """
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm) and not isinstance(part, FrozenNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    before = 0
    with torch.no_grad():
        for images, _ in batches:
            if len(images) == 1 < before:
                continue
            before = len(images)
            network(moved(images, network.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
