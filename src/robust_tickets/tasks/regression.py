"""Regression: a number for each text, such as how similar two sentences are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.correlation import Correlation
from robust_tickets.measures.metric import Metric
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import require_alike
from robust_tickets.tasks.language import LanguageTask

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits


@final
class Regression(LanguageTask):
    """A number for each text or pair of texts (STS-B); judged by Pearson's correlation, Spearman's beside it."""

    target_kind = "number"
    asks = "a number with decimals for each text"
    provides = frozenset({"text-inputs", "loss", "imitation"})
    language_head = "sequence"
    does = "gives a text one number"
    kind: Literal["regression"] = "regression"

    def head_size(self, splits: DataSplits) -> int:
        """Return 1."""
        return 1

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the mean squared error."""
        if label_smoothing:
            raise UserError(f"training.label_smoothing: {label_smoothing:g} has no meaning for numbers; leave it out")
        return SquaredError()

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return Pearson's correlation."""
        return Correlation(classes)


@final
class WorseNumbers(Aim):
    """Raise each text's own squared error; it has no end at which an attack has succeeded."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the squared error of each text, [N]."""
        return (outputs.float().squeeze(1) - targets) ** 2

    def succeeded(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return False for every text."""
        return targets.new_zeros(len(targets)).bool()


class SquaredError:
    """The mean squared error of outputs [N, 1] against numbers [N], in the unit of the data."""

    aim: Aim = WorseNumbers()

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, in fp32."""
        return F.mse_loss(outputs.float().squeeze(1), targets)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the mean squared difference to a teacher's numbers, at any temperature."""
        require_alike(outputs, taught)
        return F.mse_loss(outputs.float(), taught.float())
