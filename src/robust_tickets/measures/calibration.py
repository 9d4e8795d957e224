"""Calibration: whether a network's stated probabilities are those with which it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import NATS, PLAIN
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import FRACTION, Figure
from robust_tickets.measures.logits import logits
from robust_tickets.measures.measure import Measure

if TYPE_CHECKING:
    from torch import Tensor

FIGURES = {
    "ece": Figure("expected calibration error", PLAIN, FRACTION, higher_is_better=False),
    "adaptive_ece": Figure("adaptive calibration error", PLAIN, FRACTION, higher_is_better=False),
    "nll": Figure("negative log-likelihood", NATS, (0.0, None), higher_is_better=False),
    "brier": Figure("Brier score", PLAIN, (0.0, 2.0), higher_is_better=False),
}


@final
class Calibration(Measure):
    """Expected calibration error in two binnings, negative log-likelihood and Brier score of the softmax."""

    title: ClassVar[str] = "Calibration"
    kind: Literal["calibration"] = "calibration"
    bins: int = Field(
        default=15, ge=1, description="Number of confidence bins, of equal width and of equal mass; 1 or more."
    )

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return `ece` and `adaptive_ece` in [0, 1], `nll` in nats, `brier` in [0, 2], over all test images."""
        scores, labels = logits(examinee.predict, examinee.images(None))
        log_probabilities = scores.double().log_softmax(1)
        confidence, predicted = log_probabilities.exp().max(1)
        correct = predicted == labels
        return {
            "ece": expected_calibration_error(confidence, correct, self.bins),
            "adaptive_ece": adaptive_calibration_error(confidence, correct, self.bins),
            "nll": negative_log_likelihood(log_probabilities, labels),
            "brier": brier_score(log_probabilities.exp(), labels),
        }

    def figure(self, key: str) -> Figure | None:
        """Return one of the four."""
        return FIGURES.get(key)

    def describe(self) -> str:
        """Return for example `calibration, 15 bins`."""
        return f"calibration, {self.bins} bins"


def expected_calibration_error(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Return ECE, in [0, 1]: sum over bins of |B|/N * |accuracy(B) - mean confidence(B)| (Guo et al. 2017, eq. 3).

    Bin m of M holds the confidences in ((m-1)/M, m/M].

    Args:
        confidence: probability of the predicted class, [N] in [0, 1].
        correct: bool [N].
        bins: M.
    """
    number = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64).index_add(0, number, correct.double() - confidence.double())
    return (gaps.abs().sum() / len(confidence)).item()


def adaptive_calibration_error(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Return ECE over bins of equal mass, in [0, 1] (Nguyen and O'Connor 2015; Nixon et al. 2019, section 3).

    Images are ordered by confidence and cut into bins whose sizes differ by at most one, so that no bin is nearly
    empty if a network is nearly always sure. Only the predicted class counts, as in `ece`: Nixon's ACE, the mean
    over the probabilities of all classes, is another figure.
    """
    order = confidence.argsort(stable=True)
    gaps = (correct.double() - confidence.double())[order]
    return sum(part.sum().abs().item() for part in gaps.tensor_split(bins)) / len(confidence)


def negative_log_likelihood(log_probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean of -log p(label), in nats, from [N, C] and [N]."""
    return -log_probabilities.gather(1, labels[:, None]).mean().item()


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean over images of the sum over classes of (p - y)^2, in [0, 2], y one-hot (Brier 1950, eq. 2)."""
    at_label = probabilities.gather(1, labels[:, None])[:, 0]
    return (probabilities.square().sum(1) - 2 * at_label + 1).mean().item()
