"""Where a text answers a question."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from robust_tickets.verbs.predict.prediction import Prediction, told


@dataclass(frozen=True)
class AnswerPrediction(Prediction):
    """The answer to one question: a part of its context."""

    columns: ClassVar[tuple[str, ...]] = ("number", "question", "answer", "start", "score")
    number: int
    """From 1, in the order in which questions were given."""
    question: str
    context: str
    answer: str
    """Empty if the context is."""
    start: int
    """The character of the context at which it begins."""
    score: float
    """What speaks for its first and its last token, a sum of two logits: the larger the better; 0 without an answer."""

    def __str__(self) -> str:
        return f"{told(self.question)} {self.answer}"

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield one row."""
        yield self.number, told(self.question), self.answer, self.start, f"{self.score:.4f}"

    def entry(self) -> dict[str, Any]:
        """Return number, question, context, answer, where it begins, and its score."""
        asked = {"number": self.number, "question": self.question, "context": self.context}
        return {**asked, "answer": self.answer, "start": self.start, "score": round(self.score, 4)}
