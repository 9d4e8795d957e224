"""The loss that is minimised, and the mixing of images and labels before it."""

import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.training.settings import Training


class CrossEntropy:
    """Cross-entropy with label smoothing, over class indices [N] or probabilities [N, C]."""

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, in fp32."""
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)


def mix(
    images: Tensor, labels: Tensor, classes: int, training: Training, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Apply mixup or cutmix by torchvision where the training asks for it; labels become probabilities [N, C]."""
    if training.mixup:
        transform = v2.MixUp(alpha=training.mixup, num_classes=classes)
    elif training.cutmix:
        transform = v2.CutMix(alpha=training.cutmix, num_classes=classes)
    else:
        return images, labels
    with global_stream(seed, "mix", step):
        return transform(images, labels)
