"""Numbers: every text has one, as similarities and ratings are."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.targets.targets import zeros
from robust_tickets.data.targets.text_targets import TextTargets


class Numbers(TextTargets):
    """One number for each text, in whatever unit the data have it.

    Args:
        values: float32 `(N,)`.
    """

    kind: ClassVar[str] = "number"
    words: ClassVar[str] = "gives each text a number"
    noun: ClassVar[str] = "numbers"

    def __init__(self, values: Tensor) -> None:
        self.values = values.float()

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(len(self.values))

    def single(self, index: int, fit: Any, keep: bool) -> float:
        """Return the number of a text."""
        return float(self.values[index])

    def collated(self, targets: Sequence[Any]) -> Tensor:
        """Return numbers, float32 `(n,)`."""
        return torch.tensor(targets, dtype=torch.float32)

    def fitted(self, indices: Tensor, fit: Any, keep: bool) -> Tensor:
        """Return numbers, float32 `(n,)`."""
        return self.values[indices]

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return the numbers."""
        return [repr(value) for value in self.values[indices].tolist()]
