"""What a label is to a training: how a loss comes of it, and by which score epochs are selected."""

from typing import Protocol, final

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.mean_iou import MeanIoU
from robust_tickets.measures.score import Accuracy, Score
from robust_tickets.objectives.objective import Criterion
from robust_tickets.training.criterion import CrossEntropy, PixelCrossEntropy
from robust_tickets.training.settings import Training


class Task(Protocol):
    """A part of every training, beside objective and plan; the loop knows none by name."""

    @property
    def score(self) -> Score:
        """What selects epochs, and what is measured and decided on in the end."""
        ...

    def criterion(self, training: Training) -> Criterion:
        """Return the loss of logits and labels.

        Raises:
            UserError: the training asks for what labels of this kind do not allow.
        """
        ...


@final
class Classification:
    """One label an image."""

    score: Score = Accuracy()

    def criterion(self, training: Training) -> Criterion:
        """Return cross-entropy."""
        return CrossEntropy(training.label_smoothing)


@final
class Segmentation:
    """One label a pixel; -100 for pixels that do not count."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.score: Score = MeanIoU(classes)

    def criterion(self, training: Training) -> Criterion:
        """Return cross-entropy over the pixels that count.

        Raises:
            UserError: mixup or cutmix, which mix the labels of whole images.
        """
        for name in ("mixup", "cutmix"):
            if getattr(training, name):
                raise UserError(
                    f"training.{name}: mixes the labels of whole images and these data label pixels; set it to 0"
                )
        return PixelCrossEntropy(training.label_smoothing)
