"""What is trained: a network, which of its parameters train, and how its batch norm behaves meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from robust_tickets.models.network import Network

BatchNorm = Literal["updated", "frozen"]


@dataclass(frozen=True, eq=False)
class Subject:
    """A network in training."""

    network: nn.Module
    """Maps a batch to logits."""
    body: nn.Module
    """The module inside `network` (or `network` itself) whose parameter names are those of the masks."""
    head: str
    """Module path of the head inside `body`; empty where the body is the head itself."""
    linear: bool = False
    """Whether the head alone trains."""
    batch_norm: BatchNorm = "updated"
    """Whether batch-norm statistics follow the training batches, or stay as they are."""

    @classmethod
    def of(cls, classifier: Network, *, linear: bool = False, batch_norm: BatchNorm = "updated") -> "Subject":
        """Return a classifier as a subject; under `linear` the body's parameters stop requiring gradients."""

        subject = cls(classifier, classifier.body, classifier.head, linear, batch_norm)
        for name, parameter in classifier.body.named_parameters():
            parameter.requires_grad_(not linear or subject.is_head(name))
        return subject

    @classmethod
    def of_module(cls, head: nn.Module) -> "Subject":
        """Return a head that trains alone, on features."""
        return cls(head, head, "")

    def is_head(self, name: str) -> bool:
        """Say whether a parameter of the body belongs to the head."""
        return not self.head or name.startswith(f"{self.head}.")

    def train_mode(self, network: nn.Module) -> None:
        """Put `network` into training mode.

        A frozen body is evaluated as it is (no dropout), apart from batch norm where its statistics are to
        follow the batches; the head that trains alone is in training mode, whatever is in it.
        """
        network.train(not self.linear)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.train(self.batch_norm == "updated")
        if self.linear and self.head:
            self.body.get_submodule(self.head).train()


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a network keeps running statistics of its batches."""
    return bool(batch_norm_statistics(network))


def batch_norm_statistics(network: nn.Module) -> dict[str, Tensor]:
    """Return copies, on the CPU, of the buffers in which batch norms keep their statistics, by name."""
    return {
        f"{path}.{name}".lstrip("."): buffer.detach().cpu().clone()
        for path, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
        for name, buffer in module.named_buffers(recurse=False)
    }


def recalibrate(classifier: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Replace batch-norm statistics by the plain averages over `batches` of images.

    A last batch of one image is left out: it may have no variance, and would weigh as much as a whole batch.
    """
    norms = [module for module in classifier.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    classifier.eval()
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
            classifier(images.to(classifier.mean.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    classifier.eval()
