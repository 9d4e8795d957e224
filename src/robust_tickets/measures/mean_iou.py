"""Mean intersection over union, over all pixels of a set: how semantic segmentation is scored (PASCAL VOC)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor


def confusion(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return how many pixels of each class were given each class, int64 [classes, classes], on the CPU.

    Args:
        logits: [N, classes, H, W].
        labels: class numbers [N, H, W]; pixels labelled -100 do not count.
        classes: number of classes.
    """
    # Imported here: it takes a second, which anyone who classifies images is spared.
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    from robust_tickets.data.targets.label_values import IGNORED

    given = logits.argmax(1)
    found = multiclass_confusion_matrix(given, labels.to(given.device), classes, ignore_index=IGNORED)
    return found.long().cpu()


def class_iou(confusion: Tensor) -> Tensor:
    """Return intersection over union of each class, float64 [classes]; NaN for one neither present nor given."""
    hits = confusion.diagonal().double()
    return hits / (confusion.sum(0) + confusion.sum(1) - hits)


def mean_iou(confusion: Tensor) -> float:
    """Return the mean over the classes present or given, in [0, 1]; 0 if no pixel counts."""
    return class_iou(confusion).nanmean().nan_to_num().item()


@final
class MeanIoU(SetMetric):
    """mIoU of a set; kept is its confusion matrix, int64 [classes, classes], rows being the labels."""

    name: str = "mIoU"
    key: ClassVar[str] = "miou"

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Count the pixels of a batch."""
        return confusion(outputs, targets, len(self.classes))

    def value(self, measured: Tensor) -> float:
        """Return the mIoU."""
        return mean_iou(measured)

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the mIoU, the IoU of each class by name, and the matrix, one text per row."""
        each = {
            name: None if iou != iou else iou
            for name, iou in zip(self.classes, class_iou(measured).tolist(), strict=True)
        }
        rows = [" ".join(map(str, row)) for row in measured.tolist()]
        return {"miou": mean_iou(measured), "iou": each, "confusion": rows}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([[int(count) for count in row.split()] for row in values["confusion"]])
