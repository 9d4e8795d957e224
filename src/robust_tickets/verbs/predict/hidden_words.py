"""The words that the masks of a text may hide."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from robust_tickets.verbs.predict.prediction import TextPrediction, share, told


@dataclass(frozen=True)
class HiddenWordPrediction(TextPrediction):
    """The most probable tokens in the place of each mask of one text."""

    columns: ClassVar[tuple[str, ...]] = ("number", "text", "mask", "rank", "word", "probability")
    words: tuple[tuple[str, ...], ...]
    """Of each mask, the most probable token first."""
    probabilities: tuple[tuple[float, ...], ...]
    """Softmax over the vocabulary, in [0, 1]."""

    def __str__(self) -> str:
        return f"{told(self.text)}: {', '.join(words[0] for words in self.words)}"

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each mask and rank."""
        for mask, (words, values) in enumerate(zip(self.words, self.probabilities, strict=True), 1):
            for rank, (word, value) in enumerate(zip(words, values, strict=True), 1):
                yield *self.head, mask, rank, word, share(value)

    def entry(self) -> dict[str, Any]:
        """Return number, text, and of each mask the words with their probabilities."""
        masks = [
            [{"word": word, "probability": round(value, 6)} for word, value in zip(words, values, strict=True)]
            for words, values in zip(self.words, self.probabilities, strict=True)
        ]
        return {**self.named, "masks": masks}
