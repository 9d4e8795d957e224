"""Correlation of what a network says with the numbers asked for: how similarity of sentences is scored (STS-B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import PLAIN, Unit
from robust_tickets.measures.figure import Bounds
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor


def correlations(given: Tensor, asked: Tensor) -> Tensor:
    """Return Pearson's and Spearman's correlation, float64 [2]; 0 where one of the two is constant.

    Args:
        given: float64 [N], what a network says.
        asked: float64 [N], what it was asked for.
    """
    # Imported here: it takes a second, which anyone who classifies images is spared.
    from torchmetrics.functional import pearson_corrcoef, spearman_corrcoef

    if any(bool((values == values[:1]).all()) for values in (given, asked)):
        return torch.zeros(2, dtype=torch.float64)
    return torch.stack([pearson_corrcoef(given, asked), spearman_corrcoef(given, asked)]).double().clamp(-1, 1)


@final
class Correlation(SetMetric):
    """Pearson's correlation, and Spearman's beside it; kept are both, float64 [2], each in [-1, 1].

    Constant answers, which have no correlation, count as 0.
    """

    name: str = "Pearson correlation"
    key: ClassVar[str] = "pearson"
    unit: Unit = PLAIN
    bounds: Bounds = (-1.0, 1.0)

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the pairs of numbers of a batch, float64 [2, N]: outputs [N, 1], targets [N]."""
        return torch.stack([outputs.flatten(), targets]).double().cpu()

    def merged(self, totals: Sequence[Tensor]) -> Tensor:
        """Return all pairs of numbers."""
        return torch.cat(list(totals), 1)

    def kept(self, total: Tensor) -> Tensor:
        """Return both correlations."""
        return correlations(*total)

    def value(self, measured: Tensor) -> float:
        """Return Pearson's."""
        return measured[0].item()

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return both."""
        return dict(zip(("pearson", "spearman"), measured.tolist(), strict=True))

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([values["pearson"], values["spearman"]], dtype=torch.float64)
