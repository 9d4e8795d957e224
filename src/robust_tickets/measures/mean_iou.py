"""Mean intersection over union, over all pixels of a set: how semantic segmentation is scored (PASCAL VOC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval
from robust_tickets.measures.figure import FRACTION, Bounds
from robust_tickets.measures.logits import Batches

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
class MeanIoU:
    """mIoU of a set; kept is its confusion matrix, int64 [classes, classes], rows being the labels."""

    name: str = "mIoU"
    key: ClassVar[str] = "miou"
    unit: Unit = PERCENT
    bounds: Bounds = FRACTION
    higher_is_better: bool = True
    has_pairs: ClassVar[bool] = False

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return the matrix of the images as they are, and under each attacker, which meets every image."""
        size = len(self.classes)
        totals = [torch.zeros(size, size, dtype=torch.long) for _ in range(len(attackers) + 1)]
        for images, labels in batches:
            with torch.no_grad():
                logits = predict(images)
            images, labels = images.to(logits.device), labels.to(logits.device)
            totals[0] += confusion(logits, labels, size)
            for attacker, total in zip(attackers, totals[1:], strict=True):
                adversarial = attacker(images, labels)
                with torch.no_grad():
                    total += confusion(predict(adversarial), labels, size)
        return totals

    def value(self, measured: Tensor) -> float:
        """Return the mIoU."""
        return mean_iou(measured)

    def interval(self, measured: Tensor) -> Interval | None:
        """Return None: the pixels of one image are not independent draws."""
        return None

    def paired_interval(self, ticket: Sequence[Tensor], dense: Sequence[Tensor], level: float) -> Interval | None:
        """Return None, as `interval` does; the decision rests on the spread between seeds."""
        return None

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
