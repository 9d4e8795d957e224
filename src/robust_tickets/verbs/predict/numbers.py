"""A number for each text, or pair of texts, as regression gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from robust_tickets.verbs.predict.prediction import TextPrediction, told


@dataclass(frozen=True)
class NumberPrediction(TextPrediction):
    """The number of one text, or of a pair of texts."""

    columns: ClassVar[tuple[str, ...]] = ("number", "text", "value")
    value: float
    """In the unit of the data that the network was trained on."""

    def __str__(self) -> str:
        return f"{told(self.text)}: {self.value:.4g}"

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield one row."""
        yield *self.head, f"{self.value:.6g}"

    def entry(self) -> dict[str, Any]:
        """Return number, text and value."""
        return {**self.named, "value": round(self.value, 6)}
