"""An image prior: a generator learns one picture as far as it is seen, and so restores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.data.restoration import reduced
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.metric import Metric
from robust_tickets.measures.peak_signal_noise import PeakSignalNoise
from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.models.adaptations.picture_output import PictureOutput
from robust_tickets.objectives.objective import Criterion
from robust_tickets.tasks.task import Head, Task

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.network import Network


@final
class ImagePrior(Task):
    """A single picture, restored by a generator that learns what is seen of it; judged by PSNR to the clean picture.

    Deep Image Prior (Ulyanov et al., 2018, arXiv 1711.10925). What is seen may be noisy, smaller, or have holes; the
    problem is a property of the data (`data.restoration`). Where nobody knows the clean picture nothing judges.
    """

    target_kind = "picture"
    asks = "a single picture"
    provides = frozenset({"pictures"})
    keeps_body = True
    kind: Literal["image-prior"] = "image-prior"

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Return whether such networks are generators."""
        return adaptation == PictureOutput()

    def head_size(self, splits: DataSplits) -> int:
        """Return the channels of the picture."""
        return splits.channels

    def has_head_for(self, network: Network, splits: DataSplits) -> bool:
        """Return whether a network is a generator of such pictures."""
        return self.does_it(network) and network.num_classes == splits.channels

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the generator as it is: it has no head, and starts from its own weights.

        Raises:
            UserError: the network is no generator.
        """
        if not self.does_it(network):
            raise UserError(
                f"{name}: takes {network.interface.noun}, and only a generator restores a picture; name one, such as "
                "prior/unet6"
            )
        return network

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the squared error of what is seen.

        Raises:
            UserError: labels are to be smoothed.
        """
        if label_smoothing:
            raise UserError(f"training.label_smoothing: {label_smoothing:g} has no meaning for pixels; leave it out")
        return SeenError()

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return PSNR."""
        return PeakSignalNoise(classes)

    def describe(self) -> str:
        """Return a few words for tables."""
        return "one picture"


class SeenError:
    """Mean squared error over the pixels that are seen."""

    aim: Aim = MISCLASSIFICATION

    def __call__(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Return the mean over pixels and channels, in fp32, of pictures [N, C, H, W] made as small as what is seen."""
        seen, known = targets["seen"], targets["known"]
        made = reduced(outputs.float(), outputs.shape[-1] // seen.shape[-1])
        squares = (made - seen).square() * known
        return squares.sum() / (known.sum() * seen.shape[1])

    def imitation(self, outputs: Any, taught: Any, targets: Any, temperature: float) -> Tensor:
        """Refuse; see `Task.provides`."""
        raise NotImplementedError("pictures are not imitated")
