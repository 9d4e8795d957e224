"""The digest of data is of their content: what was replaced is noticed, what was not is not read again."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from robust_tickets.data import load, readers
from robust_tickets.data.images import encoded
from robust_tickets.data.load import load_data
from robust_tickets.foundation.user_cache import ENVIRONMENT
from robust_tickets.models.pixels import Pixels
from robust_tickets.tasks.target import fitted_data
from tests.data.conftest import OLD, aged
from tests.shapes import shapes_folder

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of which bytes were read."""
    read: list[str] = []

    def counted(path: str, real: Any = encoded.read_file) -> bytes:
        read.append(str(path))
        return real(path)

    monkeypatch.setattr(encoded, "read_file", counted)
    return read


def bmp_folder(root: Path) -> Path:
    """Write images whose files are all equally long."""
    for number in range(20):
        path = root / "ab"[number % 2] / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    return root


def test_pixels_replaced_at_equal_size_are_noticed(tmp_path: Path) -> None:
    root = bmp_folder(tmp_path / "images")
    before = load_data(root).digest
    Image.new("RGB", (8, 8), (0, 200, 0)).save(root / "a" / "0.bmp")  # a moment later
    changed = load_data(root).digest
    assert changed != before
    Image.new("RGB", (8, 8), (0, 0, 0)).save(root / "a" / "0.bmp")
    assert load_data(root).digest == before


def test_one_process_notices_too(tmp_path: Path) -> None:
    root, taken = aged(bmp_folder(tmp_path / "images")), Pixels(mean=(0.0,), std=(1.0,), size=(8, 8))
    before = fitted_data(str(root), taken, "a network", 0)
    assert fitted_data(str(root), taken, "a network", 0) is before
    Image.new("RGB", (8, 8), (0, 200, 0)).save(root / "new.bmp")
    os.utime(root / "new.bmp", (OLD, OLD))
    (root / "new.bmp").replace(root / "a" / "0.bmp")  # as long and as old as what it replaces
    assert fitted_data(str(root), taken, "a network", 0).digest != before.digest


def test_what_is_kept_in_memory_is_read_once_and_what_is_not_never_again(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = aged(bmp_folder(tmp_path / "images"))
    first = load_data(root, size=8, channels=3)
    assert len(reads) == len(set(reads)) == 20
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    readers.read_once.cache_clear()  # as in another process
    reads.clear()
    again = load_data(root, size=8, channels=3)
    assert not reads
    assert again.digest == first.digest
    os.utime(root / "b" / "3.bmp", (OLD + 60, OLD + 60))
    assert load_data(root, size=8).digest == first.digest
    assert [Path(path).name for path in reads] == ["3.bmp"]


def test_the_digest_moves_with_the_folder(tmp_path: Path) -> None:
    root = bmp_folder(tmp_path / "images")
    before = load_data(root).digest
    shutil.copytree(root, tmp_path / "elsewhere" / "images")
    assert load_data(tmp_path / "elsewhere" / "images").digest == before


def test_label_images_are_content_too(tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = aged(shapes_folder(tmp_path / "shapes"))
    before = load_data(root).digest
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    readers.read_once.cache_clear()  # as in another process
    reads.clear()
    assert load_data(root).digest == before
    assert not reads
    path = root / "train" / "labels" / "03.png"
    values = np.array(Image.open(path))
    values[5, 5] = (values[5, 5] + 1) % 3
    Image.fromarray(values).save(path)
    assert load_data(root).digest != before


class Coloured(Dataset[Any]):
    """Items that nothing but loading them shows."""

    def __init__(self, shade: int = 0, generator: np.random.Generator | None = None) -> None:
        self.shade, self.generator = shade, generator

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[Any, int]:
        noise = 0 if self.generator is None else int(self.generator.integers(50))
        return Image.new("RGB", (8, 8), (index, self.shade if index == 17 else 0, noise)), index % 2


def test_items_of_a_user_s_data_set_are_content() -> None:
    before = load_data(Coloured()).digest
    assert load_data(Coloured()).digest == before
    assert load_data(Coloured(shade=9)).digest != before
    images, labels = torch.rand(40, 3, 8, 8), torch.arange(40) % 2
    first = load_data(TensorDataset(images, labels)).digest
    images[3, 0, 0, 0] += 0.001 if images[3, 0, 0, 0] < 0.5 else -0.001
    assert load_data(TensorDataset(images, labels)).digest != first


def test_transforms_with_random_state_of_their_own_do_not_hinder_a_second_call() -> None:
    random = np.random.default_rng(0)
    assert load_data(Coloured(generator=random)).digest == load_data(Coloured(generator=random)).digest


def test_files_and_transforms_of_a_user_s_image_folder_are_content(tmp_path: Path, reads: list[str]) -> None:
    root = aged(bmp_folder(tmp_path / "images"))

    def digest(transform: Any = None) -> str:
        return load_data(Subset(ImageFolder(root, transform), list(range(20))), size=8).digest

    before = digest()
    assert digest() == before
    assert digest(v2.RandomInvert()) == digest(v2.RandomInvert()) != before
    Image.new("RGB", (8, 8), (0, 200, 0)).save(root / "a" / "4.bmp")
    assert digest() != before
