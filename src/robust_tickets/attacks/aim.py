"""What an attack aims for: the loss that it increases, and when it has succeeded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, final

from robust_tickets.attacks.losses import LogitsLoss, cross_entropy, logits_ratio, per_image

if TYPE_CHECKING:
    from torch import Tensor


class Aim(ABC):
    """Everything that an attack has to know about a task.

    Outputs are what the network returns, of whatever type; targets are those of the same examples, as a batch holds
    them: a tensor, a mapping, or a list with an entry for each example.
    """

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """Return what the attack maximises: one number per example, float [N], differentiable in the outputs."""

    @abstractmethod
    def succeeded(self, outputs: Any, targets: Any) -> Tensor:
        """Return on which examples the attack has succeeded, bool [N]."""

    def standing(self, outputs: Any, targets: Any) -> Tensor:
        """Return the share of each example that is still right, float64 [N] in [0, 1]; 0 where the attack succeeded."""
        return (~self.succeeded(outputs, targets)).double()

    @property
    def scale_free(self) -> Aim | None:
        """The same aim under a loss whose gradient never vanishes, however confident the network; None: there is none.

        An attack uses it if the gradients of `loss` vanished.
        """
        return None

    def is_one_class(self, targets: Any) -> bool:
        """Say whether each target is the one class of an image, [N], so that Square attack can lower its margin."""
        return False


@final
class Misclassification(Aim):
    """Class logits [N, C] that are wrong; or of pixels [N, C, H, W], an image being beaten where no pixel is right.

    Targets are class indices [N] or [N, H, W], -100 for pixels that do not count; or probabilities of the logits'
    shape, or their logarithms, of which the highest is right.
    """

    def __init__(self, loss: LogitsLoss = cross_entropy) -> None:
        """Increase `loss`; what counts as success stays the same."""
        self._loss = loss

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example, [N]."""
        return self._loss(outputs, targets)

    def succeeded(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return which images are misclassified, or have no pixel that is right, bool [N]."""
        return ~_right(outputs, targets).reshape(len(outputs), -1).any(1)

    def standing(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the share of each image that is classified right: 0 or 1, or of pixels in between."""
        return per_image(_right(outputs, targets).double())

    @property
    def scale_free(self) -> Misclassification:
        """Misclassification under the difference-of-logits ratio."""
        return Misclassification(logits_ratio)

    def is_one_class(self, targets: Tensor) -> bool:
        """Say whether whole images have labels."""
        return targets.dim() == 1


MISCLASSIFICATION = Misclassification()
"""Of images or pixels, under cross-entropy."""


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    classes = labels.argmax(1) if labels.is_floating_point() else labels
    return logits.argmax(1) == classes
