"""Batches of images whose every pixel has a label."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from robust_tickets.data.augmentation import Augmentation
from robust_tickets.data.pixel_images import PixelImages
from robust_tickets.data.scale_crop import ScaleCrop
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator

Batch = tuple[Tensor, Tensor]


def pixel_batches(
    dataset: PixelImages,
    chosen: Sequence[Tensor],
    kind: Augmentation,
    seed: int,
    epoch: int,
    start: int,
    world: tuple[int, int],
    workers: int,
) -> Iterator[Batch]:
    """Yield the batches `chosen` from number `start` on, each loaded whole, in `workers` processes."""
    rank, size = world
    todo = [(number, batch) for number, batch in enumerate(chosen) if number >= start and len(batch[rank::size])]
    batches = WholeBatches(dataset, todo, kind, seed, epoch, world)
    if dataset.decoded is not None:
        workers = 0
    # Without a generator of its own the loader would draw from torch's global one.
    for loaded in DataLoader(batches, batch_size=None, num_workers=workers, generator=torch.Generator()):
        if isinstance(loaded, UserError):
            raise loaded
        yield loaded[0], loaded[1]


class WholeBatches(Dataset[Any]):
    """Batches as items, augmented from the stream of their epoch and number; a user's error is an item."""

    def __init__(
        self,
        dataset: PixelImages,
        todo: Sequence[tuple[int, Tensor]],
        kind: Augmentation,
        seed: int,
        epoch: int,
        world: tuple[int, int],
    ) -> None:
        self.dataset, self.todo, self.kind = dataset, todo, kind
        self.seed, self.epoch, self.world = seed, epoch, world

    def __len__(self) -> int:
        return len(self.todo)

    def __getitem__(self, index: int) -> Batch | UserError:
        """Return this process's share of one batch."""
        number, batch = self.todo[index]
        rank, size = self.world
        try:
            images, labels = self.dataset.pairs(batch[rank::size])
        except UserError as error:
            return error
        if not isinstance(self.kind, ScaleCrop):
            return images, labels
        random = generator(self.seed, "augmentation", self.epoch, number)
        draws = torch.rand(len(batch), self.kind.uniforms, generator=random)[rank::size]
        return self.kind.apply_pairs(images, labels, draws, self.dataset.fit.size)
