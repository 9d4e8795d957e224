"""Classification: one label per input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import F
from robust_tickets.foundation.settings import later_field
from robust_tickets.measures.class_scores import ClassF1, Matthews
from robust_tickets.measures.metric import Accuracy, Metric
from robust_tickets.models.adaptations.perceptron_head import PerceptronHead
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import soft_loss
from robust_tickets.tasks.own_classes import require_own_classes
from robust_tickets.tasks.task import Head, Task

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.adaptations.adaptation import Adaptation
    from robust_tickets.models.network import Network


@final
class Classification(Task):
    """One label per image or text, by a network's own kind of head; judged by accuracy, F1 or Matthews' correlation."""

    target_kind = "class"
    asks = "one label per {one}"
    provides = frozenset({"pixel-inputs", "text-inputs", "loss", "logits", "image-logits", "image-labels", "imitation"})
    keeps_body = True
    kind: Literal["classification"] = "classification"
    judged_by: Literal["accuracy", "f1", "matthews"] = later_field(
        "accuracy",
        description="What is measured and decided on: accuracy; f1, of two classes that of the second, of more the "
        "mean over classes; matthews, the correlation by which CoLA is scored.",
    )
    hidden: int | None = later_field(
        None,
        ge=1,
        description="Width of a hidden layer (with a ReLU) between the network's features and its fresh last layer; "
        "absent: none. Of networks for images.",
    )

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Return whether such networks label whole inputs."""
        return adaptation is None or adaptation == adaptation.classifier

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the network with a head for these classes: a fresh one, or its own.

        Raises:
            UserError: see `Task.adapt`; also a hidden layer for a head that is kept, or that is no single layer.
        """
        from robust_tickets.models.adaptations.adapted_body import AdaptedBody, adaptation_of
        from robust_tickets.tasks.target import as_evaluated

        if self.hidden is not None:
            made = PerceptronHead(hidden=self.hidden)
            if head == "keep":
                raise UserError(
                    f"task.hidden: a hidden layer is for a fresh head, but that of {name} is kept; leave it out, or "
                    f"use {where}: fresh"
                )
            if adaptation_of(network.body) not in (None, made):
                raise UserError(
                    f"task.hidden: {name} already has a head other than one last layer, under which none of "
                    f"{self.hidden} can be put; leave it out"
                )
            if not isinstance(network.body, AdaptedBody):
                return made.adapted(network, len(splits.classes), network.interface, seed, name)
        if isinstance(network.body, AdaptedBody) and not self.does_it(network):
            way = network.body.adaptation.classifier
            if way is None or head == "keep":
                instead = "transfer the source it came from" if way is None else f"use {where}: fresh"
                raise UserError(f"{splits.name}: {splits.target_words}, but {name} {network.body.does}; {instead}")
            return way.adapted(network, len(splits.classes), as_evaluated(network.interface, splits), seed, name)
        fit_head(network, splits, head, seed, where)
        return network

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return cross-entropy."""
        return CrossEntropy(label_smoothing)

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return what it is judged by."""
        return METRICS[self.judged_by](classes)

    def recorded(self) -> dict[str, Any]:
        """Return nothing new where all is at its default: runs of older versions are continued."""
        return {"segmentation": None} if self == Classification() else super().recorded()

    def describe(self) -> str:
        """Return the hidden layer, if there is one."""
        return f"a hidden layer of {self.hidden}" if self.hidden is not None else ""


METRICS: dict[str, Callable[[Sequence[str]], Metric]] = {
    "accuracy": lambda classes: Accuracy(),
    "f1": ClassF1,
    "matthews": Matthews,
}


class CrossEntropy:
    """Cross-entropy with label smoothing, over class indices [N] or probabilities [N, C]."""

    aim: Aim = MISCLASSIFICATION

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, in fp32."""
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return how far probabilities are from a teacher's; labels do not matter."""
        return soft_loss(outputs, taught, temperature)


def fit_head(network: Network, splits: DataSplits, head: Head, seed: int, where: str = "head") -> None:
    """Give the network the head that it is trained with; `where` names the setting in a complaint.

    Raises:
        UserError: the head is to be kept and has other classes, or was never trained.
    """
    if head == "fresh":
        network.reset_head(len(splits.classes), seed)
        return
    network.require_head(f"{where}: keep")
    if network.num_classes != len(splits.classes):
        raise UserError(
            f"{where}: keep: the network has {network.num_classes} classes, but {splits.name} has "
            f"{len(splits.classes)}; use {where}: fresh"
        )
    require_own_classes(network, splits, where)
