"""Masked language modelling: which word is hidden behind a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from robust_tickets.attacks.aim import Aim
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import F
from robust_tickets.measures.metric import Metric
from robust_tickets.measures.perplexity import Perplexity
from robust_tickets.models.adaptations.language.text_heads import ASKED
from robust_tickets.objectives.objective import Criterion
from robust_tickets.objectives.soft_labels import require_alike, soft_loss
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

    def asking(self, batch: Batch) -> Batch:
        """Return the batch with the places of hidden words: logits of a whole vocabulary at others would be wasted."""
        if not isinstance(batch.inputs, Mapping):
            return batch  # features of a frozen body, to which a head is applied as a whole
        return Batch({**batch.inputs, ASKED: batch.targets >= 0}, batch.targets)

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
        asked = targets >= 0
        each = F.cross_entropy(at_hidden(outputs, asked).float(), targets[asked], reduction="none")
        return each.new_zeros(targets.shape).masked_scatter(asked, each).sum(1) / asked.sum(1).clamp(min=1)

    def succeeded(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return False for every text."""
        return targets.new_zeros(len(targets)).bool()


class HiddenWordLoss:
    """Mean cross-entropy over the hidden words of a batch; 0 of a batch in which none is hidden."""

    aim: Aim = WorseGuesses()

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, in fp32, of logits [N, L, V] or of those of hidden words alone [hidden, V].

        Targets [N, L] are -100 where no word is hidden.
        """
        asked = targets >= 0
        logits = at_hidden(outputs, asked).float()
        total = F.cross_entropy(logits, targets[asked], label_smoothing=self.label_smoothing, reduction="sum")
        return total / asked.sum().clamp(min=1)

    def imitation(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return how far probabilities are from a teacher's at hidden words; logits of both are of the same words."""
        require_alike(outputs, taught)
        asked = targets >= 0
        return soft_loss(at_hidden(outputs, asked), at_hidden(taught, asked), temperature)


def at_hidden(outputs: Tensor, asked: Tensor) -> Tensor:
    """Return the logits [hidden, V] of hidden words, bool [N, L], among those of all words [N, L, V] or as they are."""
    return outputs if outputs.dim() == 2 else outputs[asked]
