"""What the loop draws batches from: images, or the features of a frozen body."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from robust_tickets.data.batches import batches, batches_per_epoch
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.training.lone_images import require_pairs_of_images
from robust_tickets.training.processes import world
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from robust_tickets.training.views import ViewsOfImage

Batches = Iterator[Batch | tuple[Tensor, Tensor]]


class BatchSource(Protocol):
    """Training batches in an order that is a pure function of seed and epoch, and validation batches."""

    per_epoch: int
    has_validation: bool
    are_judged: bool
    """Whether a network can be judged by their targets."""
    selects: bool
    """Whether epochs may be selected by validation."""
    lacks: frozenset[str]
    """What objectives may need that the inputs do not have."""
    noun: str
    """What the inputs are, for messages."""

    def require_for(self, trainable: Trainable) -> None:
        """Refuse, before anything is trained, a network that cannot be trained on these batches.

        Raises:
            UserError: says why.
        """
        ...

    def train(self, epoch: int, start: int) -> Batches:
        """Yield the batches of `epoch` from number `start` on."""
        ...

    def validation(self) -> Batches:
        """Yield the validation part once, in order; nothing if there is none."""
        ...

    def sample(self, count: int) -> Batches:
        """Yield the same few validation examples at every call; training examples if there are fewer."""
        ...

    def chosen(self, count: int, together: int) -> Batches:
        """Yield the same few training examples at every call, so many together, not augmented."""
        ...


def no_batches(batches: BatchSource | None, noun: str) -> UserError:
    """Return the complaint about data that do not make a single training step."""
    if batches is not None and not batches.selects:
        return UserError("training needs data: a single picture is a batch; set batch_size: 1")
    return UserError(f"training needs data: the training part has fewer than two {noun} per step")


class ImageBatches:
    """Batches of a data set's images, augmented for training."""

    def __init__(self, data: DataSplits, training: Training, seed: int, *, augment: bool = True) -> None:
        self.data, self.training, self.seed = data, training, seed
        views = training.objective.own_views
        own = ViewsOfImage(views=views, size=data.size) if views is not None else data.augmentation
        self.augmentation = own if augment else None
        self.world = world()
        self.per_epoch = batches_per_epoch(data.train, training.batch_size, train=True, world=self.world)
        self.has_validation = len(data.validation) > 0
        self.are_judged, self.selects = data.train.targets.judge, data.train.targets.selects
        self.lacks, self.noun = data.lacks, data.noun

    def require_for(self, trainable: Trainable) -> None:
        """Refuse a batch norm that would see one image alone.

        Raises:
            UserError: batch size and accumulation lead to such a pass.
        """
        require_pairs_of_images(trainable, self.data, self.training)

    def train(self, epoch: int, start: int) -> Batches:
        """Yield (float32 [N, C, H, W] in [0, 1], int64 [N]) batches of `epoch` from `start` on."""
        return batches(
            self.data.train,
            batch_size=self.training.batch_size,
            seed=self.seed,
            epoch=epoch,
            start=start,
            train=True,
            augment=self.augmentation,
            workers=self.data.workers,
            world=self.world,
        )

    def validation(self) -> Batches:
        """Yield the validation images once, in order, not augmented."""
        if not self.has_validation:
            return iter(())
        return batches(self.data.validation, batch_size=256, seed=0, epoch=0, train=False, workers=self.data.workers)

    def sample(self, count: int) -> Batches:
        """Yield the same few validation images at every call, not augmented; training images if that has fewer."""
        part = self.data.validation if len(self.data.validation) >= count else self.data.train
        chosen = torch.randperm(len(part), generator=generator(self.seed, "sample"))[:count]
        return batches(part.subset(chosen.sort().values), batch_size=256, seed=0, epoch=0, train=False)

    def chosen(self, count: int, together: int) -> Batches:
        """Yield the same few training images at every call, chosen by chance, so many together, not augmented."""
        part = self.data.train
        chosen = torch.randperm(len(part), generator=generator(self.seed, "chosen"))[:count]
        return batches(part.subset(chosen), batch_size=together, seed=0, epoch=0, train=False)

    def once(self) -> Batches:
        """Yield the training images once, in order, not augmented."""
        return batches(self.data.train, batch_size=256, seed=0, epoch=0, train=False, workers=self.data.workers)


class FeatureBatches:
    """Batches of cached features [N, ...] with labels [N], for linear evaluation on a frozen body.

    `noun` is what the features were computed from.
    """

    are_judged = selects = True

    def __init__(
        self,
        train: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor] | None,
        batch_size: int,
        seed: int,
        noun: str = "images",
    ) -> None:
        self.features, self.labels = train
        self.held_out = validation
        self.has_validation = validation is not None and len(validation[1]) > 0
        self.batch_size, self.seed, self.lacks, self.noun = batch_size, seed, frozenset(), noun
        self.per_epoch = -(-len(self.labels) // batch_size)

    def require_for(self, trainable: Trainable) -> None:
        """Refuse nothing: a head has no batch norm."""

    def train(self, epoch: int, start: int) -> Batches:
        """Yield shuffled feature batches of `epoch` from `start` on."""
        order = torch.randperm(len(self.labels), generator=generator(self.seed, "order", epoch))
        for part in order.split(self.batch_size)[start:]:
            yield self.features[part], self.labels[part]

    def validation(self) -> Batches:
        """Yield the validation features in one batch."""
        return iter([self.held_out] if self.held_out is not None and self.has_validation else [])

    def sample(self, count: int) -> Batches:
        """Yield the first few validation features; training features if there are none."""
        features, labels = self.held_out if self.held_out is not None else (self.features, self.labels)
        return iter([(features[:count], labels[:count])])

    def chosen(self, count: int, together: int) -> Batches:
        """Yield the first few training features, so many together."""
        for start in range(0, min(count, len(self.labels)), together):
            stop = min(start + together, count)
            yield self.features[start:stop], self.labels[start:stop]
