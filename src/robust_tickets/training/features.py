"""Features of a frozen body, computed once for linear evaluation."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from robust_tickets.data.batches import batches
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.batch import Batch, moved
from robust_tickets.models.network import Network

LIMIT_BYTES = 2 << 30
"""Features larger than this are recomputed in every epoch."""

Part = tuple[Tensor, Tensor]


def cached_features(classifier: Network, splits: DataSplits) -> tuple[nn.Module, Part, Part | None] | None:
    """Return (head, training part, validation part) of features with labels, or None if that is not possible.

    It is possible if the head is the network's last operation (a convolutional head with pooling behind it is
    not) and the features fit into memory. Batch norm is in evaluation mode, so that the result is that of
    training the head on the frozen network.
    """
    device = next(classifier.parameters()).device
    head = classifier.body.get_submodule(classifier.head)
    classifier.eval()
    with torch.no_grad():
        first = splits.train.subset(torch.arange(min(2, len(splits.train))))
        probe = moved(next(iter(batches(first, batch_size=2, seed=0, train=False))).inputs, device)
        if not torch.is_tensor(logits := classifier(probe)):
            return None
        features = classifier.features(probe)
        after = head(features)
    size = features[0].nbytes * (len(splits.train) + len(splits.validation))
    if after.shape != logits.shape or not torch.equal(after, logits) or size > LIMIT_BYTES:
        return None
    train = features_of(classifier, batches(splits.train, batch_size=256, seed=0, train=False), device)
    validation = None
    if len(splits.validation):
        validation = features_of(classifier, batches(splits.validation, batch_size=256, seed=0, train=False), device)
    return head, train, validation


@torch.no_grad()
def features_of(classifier: Network, examples: Iterable[Batch], device: torch.device) -> Part:
    """Return features and labels of all batches."""
    pairs = [(classifier.features(moved(inputs, device)), labels.to(device)) for inputs, labels in examples]
    return torch.cat([part for part, _ in pairs]), torch.cat([labels for _, labels in pairs])
