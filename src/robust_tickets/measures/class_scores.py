"""Scores of classifiers that say more than accuracy where classes are of unequal size: F1 and Matthews' correlation."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import PLAIN, Unit
from robust_tickets.measures.figure import Bounds
from robust_tickets.measures.mean_iou import confusion
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor


def counted(confusion: Tensor) -> tuple[Tensor, Tensor]:
    """Return the given and the asked class of each example, int64 [N], in no order, from a confusion matrix."""
    asked, given = confusion.nonzero(as_tuple=True)
    times = confusion[asked, given]
    return given.repeat_interleave(times), asked.repeat_interleave(times)


class ClassScore(SetMetric):
    """A score of a classifier; kept is its confusion matrix, int64 [classes, classes], rows being the labels."""

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Count a batch: logits [N, classes], class numbers [N]."""
        return confusion(outputs, targets, len(self.classes))

    @abstractmethod
    def score(self, given: Tensor, asked: Tensor) -> float:
        """Return the score of class numbers, int64 [N] each."""

    def value(self, measured: Tensor) -> float:
        """Return the score."""
        return self.score(*counted(measured))

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the score and the matrix, one text per row."""
        return {self.key: self.value(measured), "confusion": [" ".join(map(str, row)) for row in measured.tolist()]}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([[int(count) for count in row.split()] for row in values["confusion"]])


@final
class ClassF1(ClassScore):
    """F1: of two classes that of the second one, as GLUE has it; of more the mean over classes (macro)."""

    name: str = "F1"
    key: ClassVar[str] = "f1"

    def score(self, given: Tensor, asked: Tensor) -> float:
        """Return F1, in [0, 1]."""
        from torchmetrics.functional.classification import binary_f1_score, multiclass_f1_score

        if len(self.classes) == 2:
            return binary_f1_score(given, asked).item()
        return multiclass_f1_score(given, asked, len(self.classes), average="macro").item()


@final
class Matthews(ClassScore):
    """Matthews' correlation coefficient (1975), as CoLA is scored; 0 where a network gives one class only."""

    name: str = "Matthews correlation"
    key: ClassVar[str] = "matthews"
    unit: Unit = PLAIN
    bounds: Bounds = (-1.0, 1.0)

    def score(self, given: Tensor, asked: Tensor) -> float:
        """Return the coefficient, in [-1, 1]."""
        from torchmetrics.functional.classification import multiclass_matthews_corrcoef

        if any(bool((values == values[:1]).all()) for values in (given, asked)):
            return 0.0
        return multiclass_matthews_corrcoef(given, asked, len(self.classes)).item()
