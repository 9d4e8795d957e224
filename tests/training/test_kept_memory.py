"""A training on a CPU keeps its memory from step to step."""

import os
import resource
import sys

import pytest
import torch
from torch import nn

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.kept_memory import OWN_CHOICES
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PLAIN, TEN, Interruptible, digits

WIDTH = 2**20
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or any(name in os.environ for name in OWN_CHOICES),
    reason="glibc's memory settings, and nobody else's choice of them",
)


class Wide(nn.Module):
    """A layer whose activations are blocks that glibc gives back after each use."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.fc = nn.Linear(1, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        wide = (images.mean((1, 2, 3))[:, None] * self.scale).sigmoid()
        return self.fc(wide.mean(1, keepdim=True))


def wide() -> Network:
    return Network(Wide(), Pixels(mean=(0.5,), std=(0.5,), size=(8, 8)), "fc")


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_pages_are_mapped_once_and_not_in_every_step() -> None:
    steps, training = 8, Training.model_validate({**PLAIN, "validate_every": 100})
    job = Job(Trainable.of(wide()), Interruptible(digits(), training, 0), training, Plan(steps, ()), 0, classes=TEN)
    before = faults()
    fit(job)
    block = training.batch_size * WIDTH * 4 / resource.getpagesize()
    # Each step needs several such blocks, forward and backward.
    assert faults() - before < steps * block


def test_nor_in_every_batch_that_is_measured() -> None:
    images, batches = torch.rand(15, 1, 8, 8), 10
    with evaluation_mode(wide(), "cpu") as predict:
        predict(images)
        before = faults()
        for _ in range(batches):
            predict(images)
        assert faults() - before < batches * len(images) * WIDTH * 4 / resource.getpagesize()
