"""A tag for each word of a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from robust_tickets.verbs.predict.prediction import TextPrediction, ranks, share


@dataclass(frozen=True)
class TaggedPrediction(TextPrediction):
    """The tag of each word of one text."""

    columns: ClassVar[tuple[str, ...]] = ("number", "place", "word", "tag", "probability")
    words: tuple[str, ...]
    """Those that the network read; a long text is cut."""
    tags: tuple[str, ...]
    """The most probable one of each word."""
    probabilities: tuple[float, ...]
    """Softmax of the logits at the first token of each word, in [0, 1]; not calibrated."""

    def __str__(self) -> str:
        return " ".join(f"{word}/{tag}" for word, tag in zip(self.words, self.tags, strict=True))

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each word."""
        for place, word, tag, value in ranks(self.words, self.tags, self.probabilities):
            yield self.number, place, word, tag, share(value)

    def entry(self) -> dict[str, Any]:
        """Return number, text, words, and the tag and probability of each."""
        values = [round(value, 6) for value in self.probabilities]
        return {**self.named, "words": self.words, "tags": self.tags, "probabilities": values}
