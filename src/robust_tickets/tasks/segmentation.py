"""Semantic segmentation: one label per pixel, -100 where none counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.mean_iou import MeanIoU
from robust_tickets.measures.metric import Metric
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import soft_loss
from robust_tickets.tasks.adapting import AdaptingTask

if TYPE_CHECKING:
    from torch import Tensor


@final
class Segmentation(SegmentationHead, AdaptingTask):
    """One label per pixel, by a backbone under a segmentation head; judged by mIoU."""

    target_kind = "pixels"
    asks = "a label for every pixel"
    provides = frozenset({"pixel-inputs", "loss", "logits", "imitation"})
    adaptation = SegmentationHead
    kind: Literal["segmentation"] = "segmentation"

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return cross-entropy over the pixels that count."""
        return PixelCrossEntropy(label_smoothing)

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return mIoU."""
        return MeanIoU(classes)

    def describe(self) -> str:
        """Return the head's name."""
        return self.head

    def recorded(self) -> dict[str, Any]:
        """Return the head under the name that it had before there were tasks: runs of older versions are continued."""
        return {"segmentation": self.model_dump(mode="json", exclude={"kind"})}


class PixelCrossEntropy:
    """Cross-entropy with label smoothing over class numbers of pixels [N, H, W], -100 where one does not count."""

    aim: Aim = MISCLASSIFICATION

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the pixels that count, in fp32; 0 where none does.

        Pixels are laid out as samples, for which the loss is reproducible on every device; over images it is not.
        """
        flat = logits.float().movedim(1, -1).flatten(0, -2)
        total = F.cross_entropy(flat, labels.flatten(), label_smoothing=self.label_smoothing, reduction="sum")
        return total / (labels >= 0).sum().clamp(min=1)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return how far probabilities of all pixels are from a teacher's, which has a say where labels have none."""
        return soft_loss(outputs, taught, temperature)
