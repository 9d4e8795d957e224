"""A small network, a small task, and how to see that a second call did nothing."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import robust_tickets as rt


class SmallNet(nn.Module):
    """A user's network: no preprocessing, no pretrained configuration; takes any size."""

    def __init__(self, channels: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


def small_source(channels: int = 3, classes: int = 3, seed: int = 0) -> rt.Source:
    torch.manual_seed(seed)
    preprocessing = rt.Pixels(mean=(0.5,) * channels, std=(0.25,) * channels, size=(8, 8))
    return rt.load_source(SmallNet(channels, classes), preprocessing=preprocessing)


class Bright(Dataset[tuple[Tensor, int]]):
    """Images in [0, 1] whose class is the brightest third; a user's own data set."""

    def __init__(self, count: int = 60, channels: int = 3, seed: int = 0, classes: int = 3) -> None:
        chance = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) % classes
        self.images = 0.5 * torch.rand(count, channels, 8, 8, generator=chance)
        for image, label in zip(self.images, self.labels, strict=True):
            image[:, :, 2 * int(label) : 2 * int(label) + 3] += 0.5

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])


PARTS = {"train": Bright(), "validation": Bright(30, seed=1), "test": Bright(45, seed=2)}
QUICK = {
    "training": {"epochs": 2, "batch_size": 20, "optimiser": {"kind": "sgd", "lr": 0.05}, "head_lr": None, "warmup": 0},
    "seeds": (0, 1),
}
THOROUGH = {"epochs": 15, "batch_size": 20, "optimiser": {"lr": 0.2}, "validate_every": 15}
"""A training after which the small network tells the classes apart."""


def times(folder: Path) -> dict[str, int]:
    """Return when each file that holds work was last written."""
    kept = ("*.safetensors", "*result.json", "metrics.jsonl", "ticket.json", "source.json", "*.onnx")
    return {str(path): path.stat().st_mtime_ns for pattern in kept for path in folder.rglob(pattern)}


def parameters(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in network.named_parameters()}
