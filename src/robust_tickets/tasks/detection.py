"""Detection: boxes around objects, and the class of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.mean_average_precision import AveragePrecision, fresh_precision
from robust_tickets.measures.metric import Metric
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.objectives.objective import Criterion
from robust_tickets.tasks.adapting import AdaptingTask
from robust_tickets.tasks.task import Head

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.network import Network


@final
class Detection(DetectionHead, AdaptingTask):
    """Boxes around objects and their classes, by a backbone under one of torchvision's detectors; judged by mAP."""

    target_kind = "boxes"
    asks = "boxes around objects"
    provides = frozenset({"pixel-inputs", "loss"})
    adaptation = DetectionHead
    kind: Literal["detection"] = "detection"

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the network that finds objects; refuse at once if there is nothing to count with."""
        fresh_precision()
        return super().adapt(network, splits, head, seed, name, where)

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the sum of torchvision's losses."""
        if label_smoothing:
            raise UserError(
                f"training.label_smoothing: {label_smoothing:g} has no meaning for boxes; torchvision's detectors have "
                "losses of their own; leave it out"
            )
        return DetectionLoss()

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return mAP."""
        return AveragePrecision(classes)

    def describe(self) -> str:
        """Return the detector's name."""
        return self.head


@final
class WorseDetection(Aim):
    """Raise each image's own losses; an attack on boxes never succeeds so clearly that it could stop early."""

    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """Return the sum of the losses of each image by itself, [N]."""
        return outputs.per_image(targets)

    def succeeded(self, outputs: Any, targets: Any) -> Tensor:
        """Return False for every image."""
        return torch.zeros(len(targets), dtype=torch.bool, device=outputs.device)


class DetectionLoss:
    """The sum of a detector's losses over a batch."""

    aim: Aim = WorseDetection()

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """Return the loss, in fp32."""
        return torch.stack(list(outputs.losses(targets).values())).sum()

    def imitation(self, outputs: Any, taught: Any, targets: Any, temperature: float) -> Tensor:
        """Refuse: two detectors propose different boxes, which are not compared. The task does not provide it."""
        raise TypeError("a detector is not held against a teacher")
