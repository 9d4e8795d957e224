"""How answers are scored: F1 over words and exact match, as SQuAD has them (Rajpurkar et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 30
"""Tokens of an answer, at most."""


class BestAnswer(NamedTuple):
    """What speaks most of all windows of a question."""

    score: float
    text: str
    answers: list[str]
    """The right ones."""


def best_span(logits: Tensor, places: Tensor) -> tuple[float, int, int]:
    """Return the score of the best span of a window's context, and the characters from and up to which it goes.

    Args:
        logits: [L, 2]: how much speaks for each token as the first, and as the last one.
        places: int64 [L, 2]: the characters that each token stands for; -1 of tokens outside the context.
    """
    inside = places[:, 0] >= 0
    if not bool(inside.any()):
        return -torch.inf, 0, 0
    first, last = logits.masked_fill(~inside[:, None], -torch.inf).unbind(1)
    scores = first[:, None] + last[None, :]
    # A span ends where it begins or later, and not too much later.
    allowed = torch.ones_like(scores).triu() - torch.ones_like(scores).triu(LONGEST)
    best = int(scores.masked_fill(allowed == 0, -torch.inf).argmax())
    begin, end = divmod(best, len(scores))
    return float(scores[begin, end]), int(places[begin, 0]), int(places[end, 1])


@final
class AnswerF1(SetMetric):
    """F1 over the words that answer and truth share, with exact match beside it; both over questions, not windows.

    Of all windows of a question that answer counts for which most speaks. Texts are compared without case, punctuation
    and articles. Kept are F1 and exact match, float64 [2], as fractions.
    """

    name: str = "F1 of answers"
    key: ClassVar[str] = "answer_f1"
    # Answers are scored anew without each part.
    parts: ClassVar[int] = 20

    def of_batch(self, outputs: Tensor, targets: Mapping[str, Any]) -> dict[int, BestAnswer]:
        """Return the best answer to each question of a batch: outputs [N, L, 2], targets of `WindowAnswers`."""
        total: dict[int, BestAnswer] = {}
        numbers, places = targets["question"].tolist(), targets["places"]
        for row, number in enumerate(numbers):
            score, begin, end = best_span(outputs[row].float(), places[row])
            if number not in total or score > total[number].score:
                total[number] = BestAnswer(score, targets["context"][row][begin:end].strip(), targets["answers"][row])
        return total

    def merged(self, totals: Sequence[dict[int, BestAnswer]]) -> dict[int, BestAnswer]:
        """Return the best answer to each question."""
        best: dict[int, BestAnswer] = {}
        for total in totals:
            for number, answer in total.items():
                if number not in best or answer.score > best[number].score:
                    best[number] = answer
        return best

    def kept(self, total: dict[int, BestAnswer]) -> Tensor:
        """Return F1 and exact match."""
        # Imported here: it takes a second, which anyone who classifies images is spared.
        from torchmetrics.functional.text import squad

        given = [{"id": str(number), "prediction_text": best.text} for number, best in total.items()]
        asked = [
            {"id": str(number), "answers": {"text": best.answers, "answer_start": [0] * len(best.answers)}}
            for number, best in total.items()
        ]
        scores = squad(given, asked)  # pyright: ignore[reportArgumentType]
        return torch.stack([scores["f1"], scores["exact_match"]]).double().cpu() / 100

    def value(self, measured: Tensor) -> float:
        """Return F1."""
        return measured[0].item()

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return both."""
        return dict(zip((self.key, "exact_match"), measured.tolist(), strict=True))

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([values[self.key], values["exact_match"]], dtype=torch.float64)
