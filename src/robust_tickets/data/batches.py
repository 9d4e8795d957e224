"""The batches of one epoch, a pure function of seed and epoch."""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.examples import Examples
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator


def batches_per_epoch(dataset: Sized, batch_size: int, *, train: bool = True, world: tuple[int, int] = (0, 1)) -> int:
    """Return how many batches one epoch has; see `batches` for what becomes of the last, short one."""
    whole, rest = divmod(len(dataset), batch_size)
    return whole + (rest >= 2 * world[1] if train else rest > 0)


def batches(
    dataset: Examples,
    *,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    start: int = 0,
    train: bool = True,
    augment: Augmenting | None = None,
    workers: int = 0,
    world: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Yield inputs, of images float32 `(n, C, H, W)` in [0, 1], with their targets, collated as their kind does it.

    The order is a function of (seed, epoch), the augmentation of (seed, epoch, batch or sample): neither
    `workers` nor where an epoch was interrupted changes a bit.

    Args:
        dataset: a part of `DataSplits`.
        batch_size: samples per batch over all processes; fewer in evaluation if the kind of target says so.
        seed: the run's seed.
        epoch: number of the epoch.
        start: number of the batch inside the epoch to begin with.
        train: shuffle and augment; a last batch with fewer than two samples per process is dropped, because
            batch normalisation needs two, and is cut to a multiple of the processes. Otherwise every sample
            comes once, in order, and nothing is augmented.
        augment: how training changes images; None: not at all.
        workers: processes that load images which are not held in memory, or augment any if that takes long.
        world: rank and number of processes. Each takes every size-th sample of a batch; all together see
            what one process would. In evaluation a rank without samples in a short batch skips it.

    Raises:
        UserError: the batch size is not a multiple of the number of processes.
    """
    rank, size = world
    if batch_size % size:
        raise UserError(f"batch size {batch_size} is not a multiple of the {size} processes")
    if not train and (most := dataset.targets.evaluated_at_once(dataset.fit)) is not None:
        batch_size = min(batch_size, most * size)
    order = torch.arange(len(dataset))
    if train:
        order = torch.randperm(len(dataset), generator=generator(seed, "order", epoch))
        if (lengths := dataset.lengths) is not None:
            order = bucketed(order, lengths, batch_size, generator(seed, "buckets", epoch))
    chosen = order.split(batch_size)[: batches_per_epoch(dataset, batch_size, train=train, world=world)]
    if train:
        chosen = [batch[: len(batch) - len(batch) % size] for batch in chosen]
    kind = augment if train and augment is not None else NoAugmentation()
    todo = [(number, batch) for number, batch in enumerate(chosen) if number >= start and len(batch[rank::size])]
    # Without its own generator a loader would draw from torch's global one.
    random = torch.Generator()
    if dataset.in_whole_batches(kind):
        whole = WholeBatches(dataset, todo, kind, seed, epoch, world)
        workers = workers if dataset.held is None or kind.takes_long else 0
        return without_errors(DataLoader(whole, batch_size=None, num_workers=workers, generator=random))
    samples = Samples(dataset, kind, seed, epoch if train else None)
    shards = [batch[rank::size].tolist() for _, batch in todo]
    return without_errors(
        DataLoader(samples, batch_sampler=shards, num_workers=workers, collate_fn=samples.collated, generator=random)
    )


POOL = 64
"""Batches whose examples are sorted by length together."""


def bucketed(order: Tensor, lengths: Tensor, batch_size: int, random: torch.Generator) -> Tensor:
    """Return an order in which the examples of a batch are about equally long, so that little is padded.

    Of every pool of some batches the examples are sorted by length; then the batches are shuffled, the last, short one
    apart, which stays the last.

    Args:
        order: int64 `(N,)`, shuffled.
        lengths: int64 `(N,)`, by example.
        batch_size: examples a batch.
        random: shuffles the batches.
    """
    pools = order.split(POOL * batch_size)
    tidy = torch.cat([pool[lengths[pool].argsort(stable=True)] for pool in pools])
    whole = len(order) // batch_size * batch_size
    batches = tidy[:whole].reshape(-1, batch_size)
    return torch.cat([batches[torch.randperm(len(batches), generator=random)].flatten(), tidy[whole:]])


def without_errors(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Yield what is loaded.

    Raises:
        UserError: the first that comes in place of a batch.
    """
    for loaded in loader:
        if isinstance(loaded, UserError):
            raise loaded
        yield loaded


class WholeBatches(Dataset[Any]):
    """Batches as items, augmented from the stream of their epoch and number; a user's error is an item."""

    def __init__(
        self,
        dataset: Examples,
        todo: Sequence[tuple[int, Tensor]],
        kind: Augmenting,
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
        random = generator(self.seed, "augmentation", self.epoch, number)
        draws = torch.rand(len(batch), self.dataset.uniforms(self.kind), generator=random)[rank::size]
        try:
            return self.dataset.batch(batch[rank::size], self.kind, draws)
        except UserError as error:
            return error


class Samples(Dataset[Any]):
    """Single samples, augmented from the stream of their epoch and index; a user's error is an item.

    (Raised in a worker, it would arrive wrapped in a traceback.)
    """

    def __init__(self, dataset: Examples, kind: Augmenting, seed: int, epoch: int | None) -> None:
        self.dataset = dataset
        self.kind = kind
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Any] | UserError:
        try:
            if self.epoch is None:
                return self.dataset.augmented(index, self.kind, torch.zeros(1, 0))
            stream = (self.seed, "augmentation", self.epoch, index)
            draws = torch.rand(1, self.kind.uniforms, generator=generator(*stream))
            return self.dataset.augmented(index, self.kind, draws, "user", *stream)
        except UserError as error:
            return error

    def collated(self, samples: list[tuple[Tensor, Any] | UserError]) -> Batch | UserError:
        """Return one batch, or the first error among its samples."""
        inputs, targets = [], []
        for sample in samples:
            if isinstance(sample, UserError):
                return sample
            inputs.append(sample[0])
            targets.append(sample[1])
        return Batch(self.dataset.inputs.collated(inputs), self.dataset.targets.collated(targets))
