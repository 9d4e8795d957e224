"""The loss that is minimised, and the mixing of images and labels before it."""

import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.data.label_values import IGNORED
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.training.settings import Training


class CrossEntropy:
    """Cross-entropy with label smoothing, over class indices [N] or probabilities [N, C]."""

    aim: Aim = MISCLASSIFICATION

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, in fp32."""
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)


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
        return total / (labels != IGNORED).sum().clamp(min=1)


def mix(batch: Batch, classes: int, training: Training, seed: int, step: int) -> Batch:
    """Apply mixup or cutmix by torchvision where the training asks for it; labels become probabilities [N, C]."""
    if training.mixup:
        transform = v2.MixUp(alpha=training.mixup, num_classes=classes)
    elif training.cutmix:
        transform = v2.CutMix(alpha=training.cutmix, num_classes=classes)
    else:
        return batch
    with global_stream(seed, "mix", step):
        return Batch(*transform(*batch))
