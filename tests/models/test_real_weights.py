"""The published weights load strictly and reach the published accuracy."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared

IMAGES = 500


def load(name: str, file: str, **preprocessing: Any) -> Source:
    assert SHARED is not None
    weights = str(SHARED / "weights" / file)
    return load_source(
        SourceSettings.model_validate({"name": name, "weights": weights, "preprocessing": preprocessing})
    )


def cifar_test() -> Iterator[tuple[Tensor, int]]:
    assert SHARED is not None
    files = sorted((SHARED / "cifar10").glob("*test*.npz"))
    archive = np.load(files[0], allow_pickle=False)
    flat, offset = archive["webp"], archive["offset"]
    for index in range(IMAGES):
        image = Image.open(io.BytesIO(flat[offset[index] : offset[index + 1]].tobytes())).convert("RGB")
        yield torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255, int(archive["label"][index])


@torch.no_grad()
def accuracy(source: Source) -> float:
    images, labels = zip(*cifar_test(), strict=True)
    predicted = source.network.eval()(torch.stack(images)).argmax(1)
    return 100 * (predicted == torch.tensor(labels)).float().mean().item()


@pytest.mark.parametrize(
    ("name", "file", "published"),
    [
        ("cifar/resnet20", "resnet20-12fca82f.th", 91.73),
        ("resnet2b", "resnet2b.pth", 69.25),
        ("cnn-a", "cifar_cnn_a_adv.model", 69.75),
    ],
)
def test_cifar_networks_reach_their_accuracy(name: str, file: str, published: float) -> None:
    source = load(name, file)
    assert source.identity.num_classes == 10
    assert accuracy(source) == pytest.approx(published, abs=3.5)


def test_resnet20_is_recognised_as_dataparallel() -> None:
    source = load("cifar/resnet20", "resnet20-12fca82f.th")
    assert source.identity.format == "DataParallel state dict (module.*)"
    assert source.identity.head == "linear"


def test_the_grey_variant_takes_its_size_from_the_settings() -> None:
    source = load("cnn-a", "convex_fashion_mnist.pth", size=28)
    assert source.identity.preprocessing.mean == (0.0,)
    assert source.network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_half_precision_squeezenet_loads_into_torchvisions() -> None:
    source = load(
        "torchvision/squeezenet1_1",
        "squeezenet1_1_imagenet.safetensors",
        mean=["123/255", "117/255", "104/255"],
        std=["1/255"] * 3,
        size=227,
    )
    assert source.identity.num_classes == 1000
    assert source.identity.preprocessing.mean[0] == 123 / 255
    assert source.network.plain_state()["classifier.1.weight"].dtype == torch.float32
    with torch.no_grad():
        probabilities = source.network.eval()(torch.rand(2, 3, 227, 227)).softmax(1)
    assert probabilities.max() > 0.05  # far from uniform: the normalisation is the one it was trained with
