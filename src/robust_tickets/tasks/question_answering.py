"""Question answering: where a text answers a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.answering import AnswerF1
from robust_tickets.measures.metric import Metric
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import soft_loss
from robust_tickets.tasks.language import LanguageTask

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits


@final
class QuestionAnswering(LanguageTask):
    """The part of a text that answers a question (SQuAD); judged by F1 over words, with exact match beside it."""

    target_kind = "answers"
    asks = "questions, their contexts and answers"
    provides = frozenset({"text-inputs", "loss", "imitation"})
    language_head = "span"
    does = "finds answers in texts"
    kind: Literal["question-answering"] = "question-answering"

    def head_size(self, splits: DataSplits) -> int:
        """Return 2: where an answer begins, and where it ends."""
        return 2

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the mean cross-entropy of the answers' first and last tokens."""
        return SpanCrossEntropy(label_smoothing)

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return F1 of answers."""
        return AnswerF1(classes)


@final
class WorseAnswers(Aim):
    """Raise each window's own loss; it has no end at which an attack has succeeded."""

    def loss(self, outputs: Tensor, targets: Mapping[str, Any]) -> Tensor:
        """Return the loss of each window, [N]."""
        return F.cross_entropy(outputs.float(), targets["span"], reduction="none").mean(1)

    def succeeded(self, outputs: Tensor, targets: Mapping[str, Any]) -> Tensor:
        """Return False for every window."""
        return targets["question"].new_zeros(len(outputs)).bool()


class SpanCrossEntropy:
    """Mean cross-entropy over tokens of an answer's first and last one; of a window without it that is token 0."""

    aim: Aim = WorseAnswers()

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, outputs: Tensor, targets: Mapping[str, Any]) -> Tensor:
        """Return the loss of outputs [N, L, 2], in fp32."""
        return F.cross_entropy(outputs.float(), targets["span"], label_smoothing=self.label_smoothing)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Mapping[str, Any], temperature: float) -> Tensor:
        """Return how far a teacher's probabilities are, over tokens, of an answer's first one and of its last one."""
        return soft_loss(outputs, taught, temperature)
