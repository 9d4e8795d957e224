"""Mean average precision: how detection is scored (Lin et al., 2014, arXiv 1405.0312, COCO's mAP@[.5:.95])."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.batch import moved
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor

OVERALL = ("map", "map_50", "map_75")
"""torchmetrics' names of the means over classes: over overlaps of 0.5 to 0.95, at 0.5, and at 0.75."""

NONE = -1.0
"""What COCO's code says where there is nothing to be found."""


def fresh_precision() -> Any:
    """Return torchmetrics' accumulator of detections.

    Raises:
        UserError: the package that counts for it is not installed.
    """
    try:
        import faster_coco_eval  # noqa: F401 - torchmetrics loads it when it computes, which is after training
    except ImportError:
        raise UserError("mAP needs the package faster-coco-eval: pip install 'robust-tickets[detection]'") from None
    # Imported here: it takes a second, which whoever classifies images is spared.
    from torchmetrics.detection import MeanAveragePrecision

    accumulator = MeanAveragePrecision(class_metrics=True, backend="faster_coco_eval")
    # Of more than a hundred detections in an image the best hundred count, as everywhere; that needs no warning.
    accumulator.warn_on_many_detections = False
    return accumulator


def precision(accumulator: Any, classes: int) -> Tensor:
    """Return what has accumulated, float64 [3 + classes]: as `OVERALL`, then mAP of each class; NaN where no box is."""
    found = accumulator.compute()
    kept = torch.full((len(OVERALL) + classes,), torch.nan, dtype=torch.float64)
    kept[: len(OVERALL)] = torch.stack([found[name] for name in OVERALL]).double()
    kept[len(OVERALL) + found["classes"].reshape(-1).long()] = found["map_per_class"].reshape(-1).double()
    return torch.where(kept == NONE, torch.nan, kept)


@final
class AveragePrecision(SetMetric):
    """mAP of a set, over classes and over overlaps of 0.5 to 0.95; kept is what `precision` returns.

    Classes without a box to be found do not count. A set without any box has a mAP of 0.
    """

    name: str = "mAP"
    key: ClassVar[str] = "map"
    # Precisions are computed anew without each part, which takes seconds for thousands of images.
    parts: ClassVar[int] = 20

    def of_batch(self, outputs: Any, targets: Any) -> list[Any]:
        """Return the detections in a batch, and what there is to be found."""
        return [(moved(outputs.detections(), "cpu"), moved(targets, "cpu"))]

    def merged(self, totals: Sequence[list[Any]]) -> list[Any]:
        """Return all detections."""
        return [pair for total in totals for pair in total]

    def kept(self, total: list[Any]) -> Tensor:
        """Return the precisions."""
        accumulator = fresh_precision()
        for detections, targets in total:
            accumulator.update(detections, targets)
        return precision(accumulator, len(self.classes))

    def value(self, measured: Tensor) -> float:
        """Return mAP@[.5:.95]."""
        return measured[0].nan_to_num().item()

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the means, and the mAP of each class by name; null where there is no box."""
        values = [None if value != value else value for value in measured.tolist()]
        overall = dict(zip(OVERALL, values[: len(OVERALL)], strict=True))
        return {**overall, "map_of": dict(zip(self.classes, values[len(OVERALL) :], strict=True))}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        kept = [*(values[name] for name in OVERALL), *(values["map_of"][name] for name in self.classes)]
        return torch.tensor([torch.nan if value is None else value for value in kept], dtype=torch.float64)
