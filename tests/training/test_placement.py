"""Batches reach their device without making the host wait, and images lie there as the device reads them best."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from robust_tickets.foundation.batch import Batch
from robust_tickets.models.registry import available
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.select import Selection
from robust_tickets.training.determinism import deterministic
from robust_tickets.training.job import Job
from robust_tickets.training.loop import TrainingLoop
from robust_tickets.training.placement import BatchPlacement, memory_format
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PLAIN, TEN, Interruptible, classifier, digits, weights

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PAPER = [
    name
    for name in available()
    if not name.startswith(("timm/", "torchvision/", "madry/", "hf/", "tiny/", "prior/"))
    and not name.endswith(("34", "50", "56", "101", "152"))
]
LIBRARIES = ["torchvision/shufflenet_v2_x0_5", "torchvision/mobilenet_v3_small", "timm/resnet10t", "timm/convnext_atto"]


class Own(nn.Module):
    """A user's network, which views its activations as only the usual format allows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 8 * 8, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.conv(images).view(len(images), -1))


def loop(masks: Masks | None = None, steps: int = 8, **changes: Any) -> TrainingLoop:
    training = Training.model_validate({**PLAIN, **changes})
    batches, plan = Interruptible(digits(), training, 0), Plan(steps, ())
    job = Job(Trainable.of(classifier()), batches, training, plan, 0, classes=TEN, masks=masks or {})
    return TrainingLoop(job)


def network(name: str) -> nn.Module:
    settings = {"name": name, "weights": "random", "preprocessing": {"size": [32, 32]}}
    return load_source(SourceSettings.model_validate(settings)).network


def test_on_a_cpu_nothing_is_copied() -> None:
    images, labels = torch.rand(2, 3, 4, 4), torch.tensor([0, 1])
    placed = BatchPlacement(CPU, torch.contiguous_format)(Batch(images, labels))
    assert placed.inputs is images
    assert placed.targets is labels
    features = BatchPlacement(CPU, torch.channels_last)(Batch(torch.rand(2, 5), labels)).inputs
    assert features.shape == (2, 5)
    listed = BatchPlacement(CPU, torch.channels_last)(Batch(images, [labels, labels]))
    assert listed.targets[0] is labels


def test_tensor_cores_are_given_channels_last_where_the_network_is_known_to_take_it() -> None:
    known = network("cifar/resnet8")
    assert memory_format(known, CUDA, "bf16") == torch.channels_last
    assert memory_format(known, CUDA, "fp32") == torch.contiguous_format
    assert memory_format(known, CPU, "bf16") == torch.contiguous_format
    assert memory_format(nn.Sequential(Own()), CUDA, "bf16") == torch.contiguous_format
    depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8))
    assert memory_format(depthwise, CPU, "fp32") == torch.channels_last
    assert memory_format(depthwise, CPU, "bf16") == torch.contiguous_format
    assert memory_format(known, CPU, "fp32") == torch.contiguous_format
    assert memory_format(nn.Sequential(*depthwise, Own()), CPU, "fp32") == torch.contiguous_format
    with pytest.raises(RuntimeError, match="view"):
        Own()(torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize(
    "name", [*PAPER, *LIBRARIES]
)  # generators take noise, and one of it: batches of them lie as they come
def test_known_networks_take_either_format(name: str) -> None:
    body = network(name).eval()
    images = torch.rand(2, 3, 32, 32)
    expected = body(images)
    found = body(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_training_on_channels_last_images_differs_by_rounding_alone() -> None:
    masks = Selection().select(weights(classifier()), sparsity=0.75)
    states = []
    for layout in (torch.contiguous_format, torch.channels_last):
        trained = loop(masks, objective={"kind": "pgd", "threat": {"epsilon": 0.05, "steps": 2}})
        trained.placement = BatchPlacement(CPU, layout)
        with deterministic():
            trained.run(lambda event, masks, work: None)
        states.append(trained.trainee.body.state_dict())
        assert all(torch.equal(states[-1][name] != 0, mask) for name, mask in masks.items())
        assert all(value.is_contiguous() for value in states[-1].values())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-2, atol=1e-3)


class Fetched(TorchDispatchMode):
    """Counts the operations whose result a host waits for: Python numbers, and shapes that depend on values."""

    WAITING = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal", "unique", "_unique2")

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(t is not None and t.dtype == torch.bool for t in args[1])
        if name in self.WAITING or by_mask:
            self.seen[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "objective",
    [
        "standard",
        "pgd",
        "fgsm-rs",
        "free",
        "smoothing",
        "trades",
        {"kind": "pgd", "threat": {"norm": "l2", "steps": 2}},
    ],
)
def test_a_step_asks_for_no_number(objective: Any) -> None:
    """But for whether its losses are finite, which an accelerator is asked once in many steps."""
    masks = Selection().select(weights(classifier()), sparsity=0.75)
    trained = loop(masks, objective=objective, clip_norm=1.0, ema=0.9, label_smoothing=0.1)
    images, labels = torch.rand(15, 1, 8, 8), torch.arange(15) % 10
    trained.train_step(trained.placement(Batch(images, labels)))
    with Fetched() as fetched:
        trained.train_step(trained.placement(Batch(images, labels)))
    assert not fetched.seen
    with fetched:
        assert bool(images[images > 0.5].sum() > 0)
    assert fetched.seen == {"index": 1, "_local_scalar_dense": 1}
