"""Gap: how far a target lies from a source's own data, before anything is drawn or trained."""

from pathlib import Path

import torch
from torch import Tensor, nn

from robust_tickets.attacks.predict import attack_mode
from robust_tickets.foundation.batch import Batch, moved
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.domain_gap import DomainGap, domain_gap
from robust_tickets.measures.logits import Batches
from robust_tickets.models.inception import load_inception
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.tasks.target import Data, fitted_data, require_size
from robust_tickets.verbs.measure import in_order


def gap(
    source: Source | SourceSettings | nn.Module | str | Path | None,
    source_data: Data,
    target_data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    inception: Path | str | None = None,
    limit: int | None = 10_000,
    seed: int = 0,
) -> DomainGap:
    """Return the Fréchet distance between a source's data and a target's, in features of the source.

    Training images are compared, prepared as in evaluation: a gap may be used to choose a source or its epsilon, and
    such a choice must not see test images. Both sets are brought to the network's size and channels.

    Args:
        source: the network whose features are used, those that enter its head; None with `inception`.
        source_data: the data the source was trained on.
        target_data: the data it is to be transferred to.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        inception: a file with the weights of torchvision's `inception_v3`, whose features are then used instead.
        limit: at most this many images from each set, balanced over classes; None: all.
        seed: decides which images make up the training parts.

    Raises:
        UserError: a network or data that cannot be loaded, both or neither of `source` and `inception`, or fewer than
            2 images.
    """
    if (source is None) == (inception is None):
        raise UserError("gap compares the features of either a source or Inception: give one of the two")
    if inception is not None:
        name, network = "Inception v3", load_inception(inception)
    else:
        assert source is not None  # one of the two is given
        loaded = load_source(source, weights=weights, preprocessing=preprocessing)
        name, network = loaded.identity.name, loaded.network
    sides = [network_features(network, name, data, limit, seed) for data in (source_data, target_data)]
    return domain_gap(*sides, features=name, noun=network.interface.noun)


def network_features(network: Network, name: str, data: Data, limit: int | None, seed: int) -> Tensor:
    """Return what enters the network's head, [N, features], for the training part of a data set."""
    splits = fitted_data(data, network.interface, name, seed)
    require_size(network, splits, name)
    return pooled_features(network, in_order(splits.train, limit))


@torch.no_grad()
def pooled_features(network: Network, examples: Batches) -> Tensor:
    """Return what enters the network's head, [N, features] on the CPU; features with a place are averaged over it."""
    device = next(network.parameters()).device
    parts: list[Tensor] = []
    with attack_mode(network):
        for inputs, targets in examples:
            batch = Batch(moved(inputs, device), targets)
            parts.append(averaged(network.features(batch.inputs).float(), batch.counted).cpu())
    return torch.cat(parts)


def averaged(features: Tensor, counted: Tensor | None) -> Tensor:
    """Return features [N, D] of maps [N, D, h, w], or of tokens [N, T, D] of which some, bool [N, T], are counted."""
    if features.dim() == 4:
        return features.flatten(2).mean(2)
    if features.dim() != 3 or counted is None:
        return features
    weights = counted.unsqueeze(2).float()
    return (features * weights).sum(1) / weights.sum(1)
