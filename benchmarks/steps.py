"""One training step: the product's, and that of a plain loop as anyone would write it."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.device import wait_for
from benchmarks.timing import Contestant
from robust_tickets.attacks import Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.determinism import deterministic
from robust_tickets.training.job import Job
from robust_tickets.training.loop import TrainingLoop
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable

CLASSES = 10
STEPS = 1_000_000
"""Planned length of a training of which a few steps are timed: its learning rate stays as it is."""


def source(name: str, size: int = 32) -> Source:
    """Return a network with random weights for colour images of `size` x `size` and 10 classes, as a source."""
    preprocessing = {"mean": [0.5] * 3, "std": [0.25] * 3, "size": [size, size]}
    settings = {"name": name, "weights": "random", "num_classes": CLASSES, "preprocessing": preprocessing}
    return load_source(SourceSettings.model_validate(settings))


def network(name: str, size: int = 32) -> Network:
    """Return the same as a network."""
    return source(name, size).network


def random_batch(batch_size: int) -> Batch:
    """Return float images [N, 3, 32, 32] in [0, 1] and labels [N]."""
    random = torch.Generator().manual_seed(0)
    images = torch.rand(batch_size, 3, 32, 32, generator=random)
    return Batch(images, torch.randint(CLASSES, (batch_size,), generator=random))


class OneBatch:
    """A training set of one batch."""

    per_epoch = 1
    has_validation = False
    lacks: frozenset[str] = frozenset()

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def require_for(self, trainable: Trainable) -> None:
        """Refuse nothing."""

    def train(self, epoch: int, start: int) -> Iterator[Batch]:
        """Yield the batch."""
        yield self.batch

    def validation(self) -> Iterator[Batch]:
        """Yield nothing."""
        return iter(())

    def chosen(self, count: int, together: int) -> Iterator[Batch]:
        """Yield the batch."""
        yield self.batch

    def sample(self, count: int) -> Iterator[Batch]:
        """Yield the batch."""
        yield self.batch


def product(
    classifier: Network, training: Training, batch: Batch, masks: Masks | None = None, *, steps: int = 1
) -> Contestant:
    """Return `steps` steps of the product's own loop on a copy of the network, on the device it chooses."""
    trainable, plan = Trainable.of(copy.deepcopy(classifier)), Plan(STEPS, ())
    with deterministic():
        loop = TrainingLoop(
            Job(
                trainable,
                OneBatch(batch),
                training,
                plan,
                0,
                classes=tuple(map(str, range(CLASSES))),
                masks=masks or {},
            )
        )

    def some() -> None:
        with deterministic():  # as `fit` does, once for all its steps
            for _ in range(steps):
                loop.train_step(loop.placement(batch))
                loop.trainee.step += 1
        wait_for(loop.device)

    return lambda: some


def plain(classifier: Network, threat: Threat, batch: Batch, steps: int, device: torch.device) -> Contestant:
    """Return `steps` steps of plain fp32 adversarial training on a copy of the network."""
    trained = copy.deepcopy(classifier).to(device).train()
    optimiser = torch.optim.SGD(trained.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def some() -> None:
        for _ in range(steps):
            plain_step(trained, optimiser, threat, *(part.to(device) for part in batch))
        wait_for(device)

    return lambda: some


def plain_step(
    trained: nn.Module, optimiser: torch.optim.Optimizer, threat: Threat, images: Tensor, labels: Tensor
) -> None:
    """Take a PGD step in L-inf with the attack in training mode and gradients of everything."""
    epsilon = threat.epsilon
    adversarial = (images + torch.empty_like(images).uniform_(-epsilon, epsilon)).clamp(0, 1)
    for _ in range(threat.steps):
        adversarial.requires_grad_()
        F.cross_entropy(trained(adversarial), labels).backward()
        assert adversarial.grad is not None
        moved = adversarial.detach() + threat.step_length * adversarial.grad.sign()
        adversarial = torch.clamp(moved, images - epsilon, images + epsilon).clamp(0, 1)
    optimiser.zero_grad()
    F.cross_entropy(trained(adversarial), labels).backward()
    optimiser.step()
