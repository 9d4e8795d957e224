"""What a network says of one input."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

WIDTH = 60
"""Characters of a text in a table, at most; JSON has all of it."""

Text = str | tuple[str, ...] | list[str]
"""A text, a pair of texts, or the words of a text."""


class Prediction(ABC):
    """What a network says of one input: rows of a table, or an object of JSON."""

    columns: ClassVar[tuple[str, ...]]
    """Of the table."""

    @abstractmethod
    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a table, a value for each column."""

    @abstractmethod
    def entry(self) -> dict[str, Any]:
        """Return an object of JSON."""


@dataclass(frozen=True)
class TextPrediction(Prediction):
    """What a network says of one text, or of a pair of texts."""

    number: int
    """From 1, in the order in which they were given: of a text file the line."""
    text: Text

    @property
    def head(self) -> tuple[object, ...]:
        """Number and text, as a table has them."""
        return self.number, told(self.text)

    @property
    def named(self) -> dict[str, Any]:
        """Number and text, as JSON has them."""
        return {"number": self.number, "text": self.text}


def told(text: Text) -> str:
    """Return a text on one line, cut to `WIDTH` characters; a pair with a bar between."""
    whole = text if isinstance(text, str) else (" | " if isinstance(text, tuple) else " ").join(text)
    line = " ".join(whole.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def share(value: float) -> str:
    """Return a probability as a table has it."""
    return f"{value:.6f}"


def ranks(*values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rank of each place, from 1, with what stands there in each sequence."""
    for rank, row in enumerate(zip(*values, strict=True), 1):
        yield (rank, *row)
