"""How large everything is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """What is timed of a training on one kind of device."""

    batch_size: int
    timed: int
    """Steps timed together: a GPU works through a queue that single steps would leave empty."""
    matrix: int
    """Side of the square matrices whose product gives the machine's matrix rate."""


@dataclass(frozen=True)
class Scale:
    """Networks, batches and rounds of one run."""

    pruned: str
    """Network of `global_magnitude`."""
    trained: str
    """Network of the training rows, for 32 x 32 images with 3 channels."""
    on_cpu: Steps
    on_gpu: Steps
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
    on_cpu=Steps(batch_size=64, timed=1, matrix=2048),
    on_gpu=Steps(batch_size=1024, timed=20, matrix=8192),
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
    on_cpu=Steps(batch_size=4, timed=1, matrix=64),
    on_gpu=Steps(batch_size=4, timed=2, matrix=64),
    rounds=2,
    calls=2,
    seeds=2,
    letters=104,
    epochs=1,
    test_images=16,
)
"""Shows that the machinery works; its ratios mean nothing."""
