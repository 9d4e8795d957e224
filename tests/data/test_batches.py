import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from robust_tickets.data import load
from robust_tickets.data.augmentation import Affine, Augmentation, FlipCrop, NoAugmentation, RandomResizedCrop
from robust_tickets.data.batches import batches, batches_per_epoch
from robust_tickets.data.examples import Examples
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings, GlyphSettings
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError

MakeFolder = Callable[..., Path]


class Photographs(Dataset[Any]):
    """A user's data set whose transforms draw from all three global generators."""

    def __init__(self) -> None:
        self.crop = v2.RandomResizedCrop(8)

    def __len__(self) -> int:
        return 45

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        values = torch.randint(256, (16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(index))
        image = v2.functional.pil_to_tensor(self.crop(Image.fromarray(values.numpy()))).float() / 255
        return image * random.uniform(0.5, 1) * float(np.random.uniform(0.5, 1)), index % 2  # noqa: NPY002


def glyph_part() -> Examples:
    settings = DataSettings(name="glyphs", glyphs=GlyphSettings(count=104), validation=0)
    return load_data(settings, size=20).train


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(images, other) and torch.equal(labels, other_labels)
        for (images, labels), (other, other_labels) in zip(first, second, strict=True)
    )


@pytest.fixture(params=["arrays", "folder in memory", "folder on disk", "user"])
def part(request: pytest.FixtureRequest, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> Examples:
    if request.param == "arrays":
        return glyph_part()
    if request.param == "user":
        return load_data(Photographs()).train
    if request.param == "folder on disk":
        monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    return load_data(make_folder({"cat": 25, "dog": 20}), size=12).train


AUGMENTATIONS = [NoAugmentation(), FlipCrop(), RandomResizedCrop(), Affine()]


@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=lambda kind: kind.kind)
def test_an_epoch_resumed_at_any_batch_is_bit_identical(part: Examples, augment: Augmentation) -> None:
    def epoch(start: int) -> list[Batch]:
        torch.rand(start + 1)  # whatever else the process draws must not matter
        return list(batches(part, batch_size=8, seed=3, epoch=2, start=start, augment=augment))

    whole = epoch(0)
    assert len(whole) == batches_per_epoch(part, 8)
    for start in (1, len(whole) - 1, len(whole)):
        assert same(whole[start:], epoch(start))


def test_workers_change_nothing(part: Examples) -> None:
    def epoch(workers: int) -> list[Batch]:
        return list(batches(part, batch_size=8, seed=3, epoch=2, augment=RandomResizedCrop(), workers=workers))

    assert same(epoch(0), epoch(2))


def test_the_epoch_and_the_seed_change_order_and_augmentation(part: Examples) -> None:
    def epoch(seed: int, number: int) -> list[Batch]:
        return list(batches(part, batch_size=8, seed=seed, epoch=number, augment=FlipCrop()))

    assert not same(epoch(0, 0), epoch(0, 1))
    assert not same(epoch(0, 0), epoch(1, 0))


def test_images_and_labels_have_their_types_and_range(part: Examples) -> None:
    for images, labels in batches(part, batch_size=8, seed=0, augment=Affine()):
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.shape[0] == labels.shape[0]
        assert images.min() >= 0
        assert images.max() <= 1


def test_evaluation_gives_every_sample_once_in_order_and_unchanged(part: Examples) -> None:
    given = list(batches(part, batch_size=8, seed=0, train=False, augment=FlipCrop()))
    images, labels = (torch.cat(parts) for parts in zip(*given, strict=True))
    assert torch.equal(labels, part.labels)
    assert all(torch.equal(image, part[index][0]) for index, image in enumerate(images))


def test_training_drops_a_last_batch_of_one_and_no_other() -> None:
    part = glyph_part()
    counts = [len(labels) for _, labels in batches(part, batch_size=103, seed=0)]
    assert counts == [103]
    assert [len(labels) for _, labels in batches(part, batch_size=102, seed=0)] == [102, 2]
    assert [len(labels) for _, labels in batches(part, batch_size=103, seed=0, train=False)] == [103, 1]
    assert batches_per_epoch(part, 103) == 1
    assert batches_per_epoch(part, 103, train=False) == 2


@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=lambda kind: kind.kind)
def test_several_processes_together_see_what_one_would(part: Examples, augment: Augmentation) -> None:
    def epoch(world: tuple[int, int]) -> list[Batch]:
        return list(batches(part, batch_size=12, seed=0, epoch=1, augment=augment, world=world))

    alone, ranks = epoch((0, 1)), [epoch((rank, 3)) for rank in range(3)]
    assert len({len(rank) for rank in ranks}) == 1
    for number, shards in enumerate(zip(*ranks, strict=True)):
        assert len({len(labels) for _, labels in shards}) == 1
        joined = torch.stack([images for images, _ in shards], 1).flatten(0, 1)
        assert torch.allclose(joined, alone[number].inputs[: len(joined)], atol=1e-6)


def test_several_processes_together_evaluate_every_sample_once() -> None:
    part = glyph_part()
    ranks = [list(batches(part, batch_size=51, seed=0, train=False, world=(rank, 3))) for rank in range(3)]
    assert sum(len(labels) for rank in ranks for _, labels in rank) == len(part)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UserError, match="batch size 8 is not a multiple of the 3 processes"):
        batches(glyph_part(), batch_size=8, seed=0, world=(0, 3))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_damaged_meanwhile_is_named_in_one_line(make_folder: MakeFolder, workers: int) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    part = load_data(root, size=12).train
    for path in root.glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"^/\S+\.png: unreadable image \([^)]*\); replace") as caught:
        list(batches(part, batch_size=4, seed=0, augment=RandomResizedCrop(), workers=workers))
    assert "Traceback" not in str(caught.value)


def test_loading_leaves_the_global_generator_alone(part: Examples) -> None:
    before = torch.get_rng_state()
    list(batches(part, batch_size=8, seed=0, augment=RandomResizedCrop()))
    assert torch.equal(before, torch.get_rng_state())
