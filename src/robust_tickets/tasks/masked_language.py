"""Masked language modelling: which word is hidden behind a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.metric import Metric
from robust_tickets.measures.perplexity import Perplexity
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import soft_loss_where
from robust_tickets.tasks.language import LanguageTask

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits


@final
class MaskedLanguage(LanguageTask):
    """The words of plain text of which 15 % are hidden (Devlin et al., 2019, BERT); judged by perplexity.

    The words' embeddings are the output's weights too, as in BERT.
    """

    target_kind = "hidden-words"
    asks = "plain text"
    provides = frozenset({"text-inputs", "loss", "imitation"})
    language_head = "masked"
    does = "guesses hidden words"
    kind: Literal["masked-language"] = "masked-language"

    def head_size(self, splits: DataSplits) -> int:
        """Return the size of the vocabulary."""
        return splits.fit.vocabulary

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return the mean cross-entropy of hidden words."""
        return HiddenWordLoss(label_smoothing)

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return perplexity."""
        return Perplexity(classes)


@final
class WorseGuesses(Aim):
    """Raise each text's own loss; it has no end at which an attack has succeeded."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of the hidden words of each text, [N]."""
        each = F.cross_entropy(outputs.float().transpose(1, 2), targets, reduction="none")
        return each.sum(1) / (targets >= 0).sum(1).clamp(min=1)

    def succeeded(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return False for every text."""
        return targets.new_zeros(len(targets)).bool()


class HiddenWordLoss:
    """Mean cross-entropy over the hidden words of a batch; 0 of a batch in which none is hidden."""

    aim: Aim = WorseGuesses()

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [N, L, V], in fp32; targets [N, L] are -100 where no word is hidden."""
        asked = targets >= 0
        logits = outputs[asked].float()
        total = F.cross_entropy(logits, targets[asked], label_smoothing=self.label_smoothing, reduction="sum")
        return total / asked.sum().clamp(min=1)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return how far probabilities are from a teacher's at hidden words; logits [N, L, C]."""
        return soft_loss_where(targets >= 0, outputs, taught, temperature)
