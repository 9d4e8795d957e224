"""A small network with batch norm on scikit-learn's 8x8 digits, for tests that need a real one."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from robust_tickets.foundation.batch import Batch
from robust_tickets.objectives import Objective, Standard
from robust_tickets.tasks.classification import CrossEntropy


@cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return training images, training labels, test images, test labels; images [N, 1, 8, 8] in [0, 1]."""
    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).div(16).unsqueeze(1)
    labels = torch.tensor(bunch.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    images, labels = images[order], labels[order]
    return images[:1400], labels[:1400], images[1400:], labels[1400:]


def fresh_network(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 16, 10),
        )


def train(settings: Objective, epochs: int) -> nn.Sequential:
    """Train a fresh network as the training loop does: backward and a step for every loss."""
    images, labels, _, _ = digits()
    network, objective = fresh_network(), settings.build()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(epoch)
        for batch in torch.randperm(len(labels), generator=generator).split(100):
            for loss in objective.losses(network, Batch(images[batch], labels[batch]), CrossEntropy(0), generator):
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return network


@cache
def trained_network() -> nn.Sequential:
    """Return a naturally trained network, shared by tests: they must leave it as it is."""
    return train(Standard(), epochs=5)
