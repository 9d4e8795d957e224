"""Token classification: a tag for each word, such as where names are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.metric import Metric
from robust_tickets.measures.tagging import NameF1, WordAccuracy, marks_names
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import soft_loss_where
from robust_tickets.tasks.language import LanguageTask

if TYPE_CHECKING:
    from torch import Tensor


@final
class TokenClassification(LanguageTask):
    """A tag for each word, given at its first token; judged by F1 of names if tags mark names, else by accuracy."""

    target_kind = "tags"
    asks = "a tag for each word"
    provides = frozenset({"text-inputs", "loss", "imitation"})
    language_head = "token"
    does = "labels words"
    kind: Literal["token-classification"] = "token-classification"

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the mean cross-entropy of words."""
        return WordCrossEntropy(label_smoothing)

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return F1 of names, or accuracy where tags do not mark any."""
        return NameF1(classes) if marks_names(classes) else WordAccuracy(classes)


@final
class WrongTags(Aim):
    """Raise each text's own loss; an attack has succeeded where no word keeps its tag."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of the words of each text, [N]."""
        each = F.cross_entropy(outputs.float().transpose(1, 2), targets, reduction="none")
        return each.sum(1) / (targets >= 0).sum(1).clamp(min=1)

    def succeeded(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return whether every tag of a text is wrong, bool [N]."""
        return ~(outputs.argmax(-1) == targets).any(1)


class WordCrossEntropy:
    """Mean cross-entropy over the words of a batch; 0 of a batch without any."""

    aim: Aim = WrongTags()

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [N, L, C], in fp32; targets [N, L] are -100 where none is asked for."""
        asked = targets >= 0
        total = F.cross_entropy(
            outputs[asked].float(), targets[asked], label_smoothing=self.label_smoothing, reduction="sum"
        )
        return total / asked.sum().clamp(min=1)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return how far probabilities are from a teacher's at words; logits [N, L, C]."""
        return soft_loss_where(targets >= 0, outputs, taught, temperature)
