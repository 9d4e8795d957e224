"""A small network, a few digits, and eyes on every optimiser step: what the tests of the loop share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.pruning.masks import Masks, full
from robust_tickets.pruning.plans import Event, Plan
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable

PRUNABLE = ("conv1.weight", "conv2.weight")
PER_EPOCH = 4
TEN = tuple(map(str, range(10)))
PLAIN = {"batch_size": 15, "precision": "fp32", "optimiser": {"kind": "sgd", "lr": 0.05}, "checkpoint_seconds": 0}


class SmallNetwork(nn.Module):
    """Two convolutions with batch norm, dropout and a linear head; input [N, 1, 8, 8]."""

    def __init__(self, dropout: float = 0.2, norm: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2)
        self.bn2 = nn.BatchNorm2d(12) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(12, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.bn1(self.conv1(images)).relu()
        features = self.bn2(self.conv2(features)).relu()
        return self.fc(self.dropout(features.mean((2, 3))))


def classifier(dropout: float = 0.2, norm: bool = True) -> Network:
    """Return the same network at every call, with statistics unlike a fresh one's."""
    with global_stream(0, "small network"):
        body = SmallNetwork(dropout, norm)
        for module in body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = torch.randn(module.num_features) / 10
                module.running_var = torch.rand(module.num_features) + 0.5
    return Network(body, Pixels(mean=(0.5,), std=(0.5,), size=(8, 8)), "fc")


@cache
def digits(validation: float = 0.25) -> DataSplits:
    """Return 60 training images, which are four batches of 15, and 20 for validation."""
    return load_data(DataSettings(name="digits", per_class=8, validation=validation), size=(8, 8))


def weights(network: Network) -> dict[str, Tensor]:
    return {name: network.body.get_parameter(name).detach() for name in PRUNABLE}


class Interrupted(Exception):
    """Stands for a kill."""


class Interruptible(ImageBatches):
    """Batches that stop a training before its step number `at`, counted from 0 in this process."""

    def __init__(self, data: DataSplits, training: Training, seed: int, at: int | None = None) -> None:
        super().__init__(data, training, seed)
        self.left = at

    def train(self, epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in super().train(epoch, start):
            if self.left is not None:
                if self.left == 0:
                    raise Interrupted
                self.left -= 1
            yield batch


class Run:
    """One call of `fit` on the small network, and all that it left."""

    def __init__(
        self,
        plan: Plan,
        changes: Mapping[str, Any] | None = None,
        *,
        drawing: Drawing | None = None,
        masks: Masks | None = None,
        folder: Path | None = None,
        stop_at: int | None = None,
        network: Network | None = None,
        seed: int = 0,
    ) -> None:
        self.training = Training.model_validate({**PLAIN, **(changes or {})})
        self.network = network or classifier()
        self.tickets: list[tuple[Event, Masks, dict[str, Tensor]]] = []
        job = Job(
            Trainable.of(self.network),
            Interruptible(digits(), self.training, seed, stop_at) if plan.steps else None,
            self.training,
            plan,
            seed,
            classes=TEN,
            masks=masks if masks is not None else full(weights(self.network)) if drawing is not None else {},
            drawing=drawing or Drawing(),
            folder=folder,
        )
        self.result: TrainingResult = fit(
            job, lambda event, masks, _: self.tickets.append((event, dict(masks), self.network.plain_state()))
        )
        self.state = self.network.plain_state()


@contextmanager
def watched_steps(network: Network) -> Iterator[list[dict[str, Tensor]]]:
    """Yield a list that gains, at every optimiser step, which prunable weights are not exactly zero."""
    seen: list[dict[str, Tensor]] = []

    def look(*_: Any) -> None:
        seen.append({name: weight != 0 for name, weight in weights(network).items()})

    hook = register_optimizer_step_post_hook(look)
    try:
        yield seen
    finally:
        hook.remove()


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Tell whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def removed(masks: Mapping[str, Tensor]) -> int:
    return sum(int((~masks[name]).sum()) for name in PRUNABLE)
