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
class Pace:
    """How often engines take turns, and what a turn is."""

    rounds: int
    hot: int
    """Timed calls of a turn with what the call before left in the caches."""
    cold: int
    """Timed calls of a turn with evicted caches."""


@dataclass(frozen=True)
class Inference:
    """How much is timed of networks that only run."""

    networks: tuple[tuple[str, str], ...]
    """What stands for the networks that rows are named after."""
    size: int
    """Height and width of images, pixels."""
    tokens: int
    """Of a text."""
    many: int
    """Images a call in rows of a batch."""
    one: Pace
    """At batch 1."""
    batched: Pace
    trained: str | None
    """Folder of networks that `python -m benchmarks.trained` made; None: random weights stand for them."""
    baselines: bool
    """Whether other engines are measured beside the rows."""
    starts: int
    """Processes started to time how long a file takes to load."""

    def source(self, network: str) -> str:
        """Return the name of the architecture that stands for a network."""
        return dict(self.networks)[network]

    def pace(self, batch: int) -> Pace:
        """Return how much is timed with so many images a call."""
        return self.one if batch == 1 else self.batched


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
    listed: int
    """Files of the folder on which a training starts."""
    starts: int
    """Processes that start on it with nothing remembered, and as many with it."""
    fed: int
    """Images of an epoch that is loaded."""
    side: int
    """Of the small files, pixels."""
    linear_images: int
    """Images that heads are trained on."""
    linear_epochs: int
    linear_rounds: int
    inference: Inference


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
    listed=100_000,
    starts=3,
    fed=4000,
    side=64,
    linear_images=256,
    linear_epochs=10,
    linear_rounds=3,
    inference=Inference(
        networks=(
            ("resnet18", "torchvision/resnet18"),
            ("resnet50", "torchvision/resnet50"),
            ("mobilenet_v2", "torchvision/mobilenet_v2"),
            ("deit_tiny", "timm/deit_tiny_patch16_224"),
            ("minilm", "language/minilm"),
            ("bert_base", "language/bert_base"),
            ("vit_s16", "timm/vit_small_patch16_224"),
            ("vit_b16", "timm/vit_base_patch16_224"),
        ),
        size=224,
        tokens=128,
        many=16,
        one=Pace(rounds=15, hot=3, cold=2),
        batched=Pace(rounds=5, hot=1, cold=1),
        trained="runs/benchmarks",
        baselines=True,
        starts=6,
    ),
)
TOY = Scale(
    pruned="demo/resnet4",
    trained="demo/resnet4",
    on_cpu=Steps(batch_size=4, timed=1, matrix=64),
    on_gpu=Steps(batch_size=4, timed=2, matrix=64),
    rounds=1,
    calls=1,
    seeds=2,
    letters=104,
    epochs=1,
    test_images=16,
    listed=600,
    starts=1,
    fed=40,
    side=16,
    linear_images=40,
    linear_epochs=1,
    linear_rounds=1,
    inference=Inference(
        networks=(
            ("resnet18", "demo/resnet4"),
            ("resnet50", "demo/resnet4"),
            ("mobilenet_v2", "demo/resnet4"),
            ("deit_tiny", "timm/test_vit"),
            ("minilm", "language/tiny"),
            ("bert_base", "language/tiny"),
            ("vit_s16", "timm/test_vit"),
            ("vit_b16", "timm/test_vit"),
        ),
        size=16,
        tokens=8,
        many=3,
        one=Pace(rounds=1, hot=1, cold=1),
        batched=Pace(rounds=1, hot=1, cold=1),
        trained=None,
        baselines=False,
        starts=1,
    ),
)
"""Shows that the machinery works; its ratios mean nothing."""
