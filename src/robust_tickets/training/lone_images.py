"""Passes of a single image, which batch norm cannot train on when it sees only one value per channel."""

import copy

import torch

from robust_tickets.data.batches import batches
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.batch import moved
from robust_tickets.foundation.errors import UserError
from robust_tickets.training.processes import world
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable


def require_pairs_of_images(trainable: Trainable, splits: DataSplits, training: Training) -> None:
    """Refuse a training in which an image would be alone in a pass, of a network that cannot take it.

    A last batch of one image is dropped in training; what is left are batches of one, and parts of them. Whether the
    network can take one image at this size is tried: most can, since a channel has many places.

    Raises:
        UserError: batch size and accumulation lead to such a pass.
    """
    processes = world()[1]
    whole, rest = divmod(len(splits.train), training.batch_size)
    lengths = [training.batch_size] * (whole > 0) + [rest] * (rest >= 2 * processes)
    alone = any(smallest_part(images // processes, training.accumulate) < 2 for images in lengths)
    if alone and not takes_one_image(trainable, splits):
        parts = f" in {training.accumulate} parts" if training.accumulate > 1 else ""
        raise UserError(
            f"training: batch_size {training.batch_size}{parts} leaves one image alone, for which a batch norm of this "
            "network has only one value per channel and no variance; use a larger "
            f"batch_size{' or accumulate: 1' if training.accumulate > 1 else ''}"
        )


def takes_one_image(trainable: Trainable, splits: DataSplits) -> bool:
    """Return whether the network, as it trains, can be given a single image of these data."""
    tried = copy.deepcopy(trainable)
    tried.train_mode(tried.network)
    device = next(tried.network.parameters()).device
    try:
        with torch.no_grad():
            one = splits.train.subset(torch.zeros(1, dtype=torch.long))
            tried.network(moved(next(iter(batches(one, batch_size=1, seed=0, train=False))).inputs, device))
    except ValueError as error:
        # torch has no specific type for this.
        if "Expected more than 1 value per channel" not in str(error):
            raise
        return False
    return True


def smallest_part(images: int, parts: int) -> int:
    """Return the size of the last of the chunks that torch cuts this many images into."""
    size = -(-images // parts)
    return images - size * (-(-images // size) - 1)
