"""Real data: the counts and orders that their authors publish."""

import gzip
from pathlib import Path

import pytest
import torch

from robust_tickets.data.augmentation import FlipCrop, RandomResizedCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.images.arrays import ImageArrays
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared


def at(name: str) -> str:
    assert SHARED is not None
    return str(SHARED / name)


def test_cifar10_test_images_come_in_the_official_order() -> None:
    splits = load_data(DataSettings(name=at("cifar10/cifar10_test.npz"), validation=0.5, test=0.1))
    assert splits.size == (32, 32)
    assert splits.channels == 3
    assert len(splits.test) == 1000
    assert splits.augmentation == FlipCrop()
    assert "undivided" in splits.describe()
    everything = sum(part.labels.bincount(minlength=10) for part in (splits.train, splits.validation, splits.test))
    assert torch.as_tensor(everything).tolist() == [1000] * 10


def test_cifar100_has_its_names_and_balanced_tenths() -> None:
    splits = load_data(DataSettings(name=at("cifar100"), fraction=0.1))
    assert splits.classes[:3] == ("apple", "aquarium_fish", "baby")
    assert len(splits.classes) == 100
    assert len(splits.train) + len(splits.validation) == pytest.approx(800, abs=60)
    assert len(splits.test) == 2000
    assert set(splits.validation.labels.tolist()) == set(range(100))


def test_fashion_mnist_is_the_same_through_torchvision_and_from_its_files(tmp_path: Path) -> None:
    settings = DataSettings(name="torchvision/FashionMNIST", root=Path(at("")), per_class=100)
    named = load_data(settings)
    read = load_data(DataSettings(name=at("FashionMNIST"), per_class=100))
    assert named.classes[0] == "T-shirt/top"
    assert named.augmentation == FlipCrop()
    assert read.augmentation == FlipCrop(flip=False)
    for name in ("train", "validation", "test"):
        assert getattr(named, name).digest() == getattr(read, name).digest()
    assert len(named.test) == 10000
    assert named.train.labels.bincount().tolist() == [90] * 10


def test_mnist_s_test_files_alone_are_an_undivided_set(tmp_path: Path) -> None:
    for path in Path(at("MNIST/raw")).glob("*.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    packed, unpacked = load_data(at("MNIST")), load_data(tmp_path)
    assert packed.digest == unpacked.digest
    assert len(packed.train) + len(packed.validation) + len(packed.test) == 10000


def test_flowers_are_small_images_kept_in_memory() -> None:
    splits = load_data(at("flowers5-32"))
    assert splits.classes == ("daisy", "dandelion", "rose", "sunflower", "tulip")
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [2160, 240, 600]
    assert splits.augmentation == FlipCrop()
    assert splits.train.held is not None


def test_hymenoptera_photographs_are_cropped_at_random_from_their_originals() -> None:
    splits = load_data(DataSettings(name=at("hymenoptera-160")), size=64, crop_fraction=0.875)
    assert splits.classes == ("ants", "bees")
    assert len(splits.train) + len(splits.validation) == 245
    assert len(splits.test) == 153
    assert splits.augmentation == RandomResizedCrop()
    whole = list(batches(splits.train, batch_size=64, seed=0, augment=splits.augmentation))
    assert whole[0].inputs.shape == (64, 3, 64, 64)
    resumed = list(batches(splits.train, batch_size=64, seed=0, start=3, augment=splits.augmentation, workers=1))
    assert torch.equal(resumed[0].inputs, whole[3].inputs)


def test_tiny_imagenet_is_read_with_its_class_names() -> None:
    splits = load_data(DataSettings(name=at("tinyimagenet32/tinyimagenet32_val.npz"), fraction="1/10"))  # pyright: ignore
    assert len(splits.classes) == 200
    assert "goldfish" in splits.classes[0].lower()
    assert isinstance(splits.train.inputs, ImageArrays)
    assert splits.train.inputs.images.shape[1:] == (3, 32, 32)
    assert splits.train.labels.bincount().tolist() == [3] * 200
