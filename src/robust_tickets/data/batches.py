"""The batches of one epoch, a pure function of seed and epoch."""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Augmentation, NoAugmentation, RandomResizedCrop
from robust_tickets.data.folder import FolderImages
from robust_tickets.data.pixel_batches import pixel_batches
from robust_tickets.data.pixel_images import PixelImages
from robust_tickets.data.splits import Part
from robust_tickets.data.user import UserImages
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator

Batch = tuple[Tensor, Tensor]


def batches_per_epoch(dataset: Sized, batch_size: int, *, train: bool = True, world: tuple[int, int] = (0, 1)) -> int:
    """Return how many batches one epoch has; see `batches` for what becomes of the last, short one."""
    whole, rest = divmod(len(dataset), batch_size)
    return whole + (rest >= 2 * world[1] if train else rest > 0)


def batches(
    dataset: Part,
    *,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    start: int = 0,
    train: bool = True,
    augment: Augmentation | None = None,
    workers: int = 0,
    world: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Yield float32 images `(n, C, H, W)` in [0, 1] and int64 labels: `(n,)`, or of `PixelImages` `(n, H, W)`.

    The order is a function of (seed, epoch), the augmentation of (seed, epoch, batch or sample): neither
    `workers` nor where an epoch was interrupted changes a bit.

    Args:
        dataset: a part of `DataSplits`.
        batch_size: samples a batch over all processes; fewer in evaluation where each pixel has logits.
        seed: the run's seed.
        epoch: number of the epoch.
        start: number of the batch inside the epoch to begin with.
        train: shuffle and augment; a last batch with fewer than two samples a process is dropped, because
            batch normalisation needs two, and is cut to a multiple of the processes. Otherwise every sample
            comes once, in order, and nothing is augmented.
        augment: what training does to an image; None: nothing.
        workers: processes that load images which are not held in memory.
        world: rank and number of processes. Each takes every size-th sample of a batch; all together see
            what one process would. In evaluation a rank without samples in a short batch skips it.

    Raises:
        UserError: the batch size is no multiple of the number of processes.
    """
    rank, size = world
    if batch_size % size:
        raise UserError(f"batch size {batch_size} is no multiple of the {size} processes")
    if isinstance(dataset, PixelImages) and not train:
        batch_size = min(batch_size, dataset.evaluated_at_once * size)
    order = torch.arange(len(dataset))
    if train:
        order = torch.randperm(len(dataset), generator=generator(seed, "order", epoch))
    chosen = order.split(batch_size)[: batches_per_epoch(dataset, batch_size, train=train, world=world)]
    if train:
        chosen = [batch[: len(batch) - len(batch) % size] for batch in chosen]
    kind = augment if train and augment is not None else NoAugmentation()
    if isinstance(dataset, PixelImages):
        return pixel_batches(dataset, chosen, kind, seed, epoch, start, world, workers)
    if isinstance(dataset, ImageArrays):
        return array_batches(dataset, chosen, kind, seed, epoch, start, world)
    if isinstance(dataset, FolderImages) and dataset.decoded is not None and not isinstance(kind, RandomResizedCrop):
        return array_batches(dataset.decoded, chosen, kind, seed, epoch, start, world)
    shards = [shard.tolist() for batch in chosen[start:] if len(shard := batch[rank::size])]
    return loaded_batches(Samples(dataset, kind, seed, epoch if train else None), shards, workers)


def array_batches(
    arrays: ImageArrays,
    chosen: Sequence[Tensor],
    kind: Augmentation,
    seed: int,
    epoch: int,
    start: int,
    world: tuple[int, int],
) -> Iterator[Batch]:
    """Yield batches of images held in memory, without a loop over samples."""
    rank, size = world
    for number in range(start, len(chosen)):
        random = generator(seed, "augmentation", epoch, number)
        draws = torch.rand(len(chosen[number]), kind.uniforms, generator=random)[rank::size]
        shard = chosen[number][rank::size]
        if len(shard):
            images = kind.apply(arrays.floats(shard), draws, arrays.size)
            yield arrays.resized(images), arrays.labels[shard]


def loaded_batches(samples: "Samples", shards: list[list[int]], workers: int) -> Iterator[Batch]:
    """Yield batches of images that are loaded one by one, in `workers` processes."""
    # Without a generator of its own the loader would draw from torch's global one.
    loader = DataLoader(
        samples, batch_sampler=shards, num_workers=workers, collate_fn=collate, generator=torch.Generator()
    )
    for loaded in loader:
        if isinstance(loaded, UserError):
            raise loaded
        yield loaded


class Samples(Dataset[Any]):
    """Single samples, augmented from the stream of their epoch and index; a user's error is an item.

    (Raised in a worker, it would arrive wrapped in a traceback.)
    """

    def __init__(self, dataset: FolderImages | UserImages, kind: Augmentation, seed: int, epoch: int | None) -> None:
        self.dataset = dataset
        self.kind = kind
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | UserError:
        try:
            return self.dataset[index] if self.epoch is None else self.augmented(index, self.epoch)
        except UserError as error:
            return error

    def augmented(self, index: int, epoch: int) -> tuple[Tensor, int]:
        """Return one float image `(C, H, W)` in [0, 1] and its label."""
        fit, label = self.dataset.fit, int(self.dataset.labels[index])
        stream = (self.seed, "augmentation", epoch, index)
        draws = torch.rand(1, self.kind.uniforms, generator=generator(*stream))
        image = self.dataset.original(index, "user", *stream)
        if isinstance(self.kind, RandomResizedCrop) and not isinstance(image, Tensor):
            return self.kind.photograph(image, draws, fit).float() / 255, label
        return self.kind.apply(fit.floats(image)[None], draws, fit.size)[0], label


def collate(samples: list[tuple[Tensor, int] | UserError]) -> Batch | UserError:
    """Return one batch, or the first error among its samples."""
    images, labels = [], []
    for sample in samples:
        if isinstance(sample, UserError):
            return sample
        images.append(sample[0])
        labels.append(sample[1])
    return torch.stack(images), torch.tensor(labels)
