"""Perplexity: how many words a language model finds about equally likely in the place of a hidden one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import F, torch
from robust_tickets.foundation.unit import PLAIN, Unit
from robust_tickets.measures.figure import Bounds
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor


@final
class Perplexity(SetMetric):
    """exp of the mean negative log-likelihood of hidden words; kept is the sum in nats and the number, float64 [2]."""

    name: str = "perplexity"
    key: ClassVar[str] = "perplexity"
    unit: Unit = PLAIN
    bounds: Bounds = (1.0, None)
    higher_is_better: bool = False

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Add up the words of a batch: logits [N, L, V], targets [N, L], -100 where no word is hidden."""
        losses = F.cross_entropy(outputs.float().flatten(0, 1), targets.flatten(), reduction="sum")
        return torch.stack([losses.double(), (targets >= 0).sum().double()]).cpu()

    def value(self, measured: Tensor) -> float:
        """Return the perplexity; that of not knowing anything, infinity, is given as the largest number."""
        nats, words = measured.tolist()
        mean = nats / max(1.0, words)
        return math.exp(mean) if mean < 700 else torch.finfo(torch.float64).max

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the perplexity, the sum and the number of words."""
        nats, words = measured.tolist()
        return {"perplexity": self.value(measured), "nats": nats, "words": int(words)}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([values["nats"], float(values["words"])], dtype=torch.float64)
