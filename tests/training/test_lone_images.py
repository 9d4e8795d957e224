"""One image alone in a pass: dropped, taken, or refused before anything trains; never a traceback."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from tests.verbs.small import Bright, SmallNet

MESSAGE = "batch_size {} leaves one image alone, for which a batch norm of this network has only one value per channel"


class Narrow(nn.Module):
    """A network that normalises after its pooling, one value an image: as a ResNet does on small images."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).flatten(1))


def transferred(network: nn.Module, images: int, training: dict[str, Any], **options: Any) -> rt.Transfer:
    torch.manual_seed(0)
    parts = {"train": Bright(images), "validation": Bright(9, seed=1), "test": Bright(9, seed=2)}
    preprocessing = rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8))
    source = rt.load_source(network, preprocessing=preprocessing)
    return rt.transfer(source, parts, training={"epochs": 1, "head_lr": None, **training}, seeds=(0,), **options)


@pytest.mark.parametrize(
    ("images", "training", "options"),
    [
        (21, {"batch_size": 20}, {}),
        (21, {"batch_size": 20, "objective": "fgsm-rs"}, {}),
        (22, {"batch_size": 20}, {}),
        (257, {"batch_size": 20}, {"mode": "linear", "bn": "recalibrated"}),
        (20, {"batch_size": 1}, {"mode": "linear"}),
    ],
)
def test_a_last_batch_of_one_image_does_no_harm(images: int, training: Any, options: Any) -> None:
    assert transferred(Narrow(), images, training, **options).runs[0].validation is not None


def test_single_images_train_where_a_channel_has_many_places() -> None:
    assert transferred(SmallNet(), 12, {"batch_size": 1}).runs[0].validation is not None


@pytest.mark.parametrize(
    ("training", "options", "message"),
    [
        ({"batch_size": 1}, {}, MESSAGE.format("1")),
        ({"batch_size": 20, "accumulate": 20}, {}, MESSAGE.format("20 in 20 parts")),
        ({"batch_size": 18, "accumulate": 2}, {}, MESSAGE.format("18 in 2 parts")),
        ({"batch_size": 1}, {"mode": "linear", "bn": "batch"}, MESSAGE.format("1")),
    ],
)
def test_where_it_has_one_value_they_are_refused(training: Any, options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=message) as caught:
        transferred(Narrow(), 21, training, **options, folder=tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_draws_and_pretraining_are_refused_too() -> None:
    source = rt.load_source(Narrow(), preprocessing=rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8)))
    training = {"epochs": 1, "batch_size": 1}
    with pytest.raises(rt.UserError, match=MESSAGE.format("1")):
        rt.pretrain(source, Bright(20), **training)
    with pytest.raises(rt.UserError, match=MESSAGE.format("1")):
        rt.draw(source, data=Bright(20), sparsity=0.5, timeline="iterative", training=training)
