"""How large everything is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Networks, batches and rounds of one run."""

    pruned: str
    """Network of `global_magnitude`."""
    trained: str
    """Network of the training rows, for 32 x 32 images with 3 channels."""
    batch_size: int
    rounds: int
    """Timed rounds of a training row; twice as many where a step is cheap."""
    calls: int
    """Timed calls of `tickets --help` and of both prunings."""
    seeds: int
    """Pairs of networks trained for the comparison of robust accuracy."""
    letters: int
    """Training images of that comparison."""
    epochs: int
    test_images: int


FULL = Scale(
    pruned="torchvision/resnet50",
    trained="small/resnet18",
    batch_size=64,
    rounds=6,
    calls=5,
    seeds=3,
    letters=8000,
    epochs=4,
    test_images=2000,
)
TOY = Scale(
    pruned="demo/resnet4",
    trained="demo/resnet4",
    batch_size=4,
    rounds=2,
    calls=2,
    seeds=2,
    letters=104,
    epochs=1,
    test_images=16,
)
"""Shows that the machinery works; its ratios mean nothing."""
