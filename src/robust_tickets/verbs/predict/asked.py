"""Texts that a language model is asked about, and its answers, text by text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robust_tickets.data.targets.hidden_words import LOGITS_AT_ONCE
from robust_tickets.data.texts.texts import Texts, counted, is_empty
from robust_tickets.data.texts.tokenised import Tokenised
from robust_tickets.tokens.format import TokenFormat
from robust_tickets.verbs.predict.given_texts import GivenTexts
from robust_tickets.verbs.predict.prediction import TextPrediction
from robust_tickets.verbs.predict.predictions import Predictions

BATCH = 32
"""Texts computed at once, at most."""


@dataclass(frozen=True)
class AskedTexts:
    """Texts, and whom they are put to.

    Attributes:
        name: of the network, for messages.
        given: the texts.
        compute: logits float32 of tokens int64 [N, L] by name.
        format: how texts become tokens.
        outputs: how many logits there are for a text or token.
        classes: their names, if they are known.
        top: how many of the most probable are wanted.
    """

    name: str
    given: GivenTexts
    compute: Callable[[Any], Tensor]
    format: TokenFormat
    outputs: int
    classes: tuple[str, ...] | None
    top: int

    def tokenised(self, texts: Sequence[Any]) -> Tokenised:
        """Return texts as tokens, cut to what the network reads."""
        return Texts(texts).held(torch.arange(len(texts)), self.format, False)

    def logits(self, tokens: Tokenised) -> Iterator[Tensor]:
        """Yield the logits of each text: [C], or [L, C] without padding."""
        longest = int(tokens.lengths.max()) if len(tokens.lengths) else 1
        size = max(1, min(BATCH, LOGITS_AT_ONCE // max(1, longest * self.outputs)))
        for indices in torch.arange(len(tokens.lengths)).split(size):
            for index, row in zip(indices.tolist(), self.compute(tokens.padded(indices)), strict=True):
                yield row if row.dim() == 1 else row[: int(tokens.lengths[index])]

    def class_name(self, index: int) -> str:
        """Return the name of a class, or its number."""
        return self.classes[index] if self.classes else str(index)

    def predictions(self, rows: Sequence[TextPrediction], tokens: Tokenised) -> Predictions:
        """Return predictions, with what is worth knowing of how the texts were read."""
        texts = self.given.texts
        empty = sum(is_empty(text) for text in texts)  # pyright: ignore[reportArgumentType]
        notes = counted(len(texts), empty, int(tokens.cut.sum()), self.format)
        return Predictions(tuple(rows), noun="texts", notes=notes)
