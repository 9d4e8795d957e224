"""Accuracy, and how far it can be trusted as a statement about more than this test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class Interval(Settings):
    """A confidence interval; ends in the unit of what it bounds."""

    lower: float
    upper: float


def correctness(logits: Tensor, labels: Tensor) -> Tensor:
    """Return bool [N]: whether the highest of the logits [N, C] is at the label [N]."""
    return logits.argmax(1) == labels


def accuracy(correct: Tensor) -> float:
    """Return the fraction, in [0, 1], of a correctness vector bool [N] that is true."""
    return correct.double().mean().item()


def class_mean_accuracy(correct: Tensor, labels: Tensor) -> float:
    """Return the mean over the classes present of each class's accuracy, in [0, 1].

    The custom for unbalanced test sets: Pets, Flowers, Caltech101, Aircraft.
    """
    return sum(accuracy(correct[labels == label]) for label in labels.unique()) / len(labels.unique())


def accuracy_interval(correct: Tensor, coverage: float = 0.95) -> Interval:
    """Return the Clopper-Pearson interval, of at least `coverage`, of a correctness vector's accuracy.

    It is about the draw of test images alone; the spread between training seeds is another matter.
    """
    return share_interval(int(correct.sum()), len(correct), coverage)


def share_interval(hits: int, total: int, coverage: float = 0.95) -> Interval:
    """Return the Clopper-Pearson interval, of at least `coverage`, of a share of which `hits` of `total` were seen."""
    # Here, because every recipe imports this file.
    from scipy.special import betaincinv

    tail = (1 - coverage) / 2
    lower = betaincinv(hits, total - hits + 1, tail) if hits > 0 else 0.0
    upper = betaincinv(hits + 1, total - hits, 1 - tail) if hits < total else 1.0
    return Interval(lower=float(lower), upper=float(upper))
