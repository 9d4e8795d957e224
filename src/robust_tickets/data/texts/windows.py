"""Windows: questions with as much of their contexts as a network reads at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.texts.texts import TokenInputs
from robust_tickets.data.texts.tokenised import Tokenised
from robust_tickets.tokens.format import TokenFormat

if TYPE_CHECKING:
    from robust_tickets.data.targets.targets import Targets


class Windows(TokenInputs):
    """Pairs of a question and a piece of its context.

    Args:
        encodings: of the pairs, by `tokenizers`.
        questions: int64 `(N,)`, the number of each one's question.
        format: pads and names.
    """

    def __init__(self, encodings: Sequence[Any], questions: Tensor, format: TokenFormat) -> None:
        self.tokens, self.questions = Tokenised(encodings, format), questions
        places = [
            place if sequence == 1 else (-1, -1)
            for one in encodings
            for place, sequence in zip(one.offsets, one.sequence_ids, strict=True)
        ]
        self.places = torch.tensor(places, dtype=torch.int32).reshape(-1, 2)
        """Of every token the characters of the context that it stands for, from and up to; -1 of other tokens."""

    def __len__(self) -> int:
        return len(self.questions)

    def places_of(self, index: int) -> Tensor:
        """Return the characters of the context that the tokens of a window stand for, int64 `(L, 2)`."""
        return self.places[self.tokens.span(index)].long()

    def held(self, indices: Tensor, fit: TokenFormat, keep: bool) -> Tokenised:
        """Return all windows as ids."""
        return self.tokens

    def single(self, index: int, held: Tokenised, fit: TokenFormat) -> dict[str, Tensor]:
        """Return one window, int64 `(L,)` by name."""
        return self.tokens.row(index)

    def batch(
        self, indices: Tensor, held: Tokenised, fit: TokenFormat, augmentation: Augmenting, draws: Tensor
    ) -> dict[str, Tensor]:
        """Return windows, int64 `(n, L)` by name, padded to the longest of them."""
        return self.tokens.padded(indices)

    def lengths(self, indices: Tensor, fit: TokenFormat) -> Tensor:
        """Return how many tokens each window has."""
        return self.tokens.lengths[indices]

    def fingerprint(self, digest: Any, indices: Tensor, fit: TokenFormat, targets: Targets) -> None:
        """Take in the ids of the windows, and their targets."""
        for index in indices.tolist():
            digest.update(self.tokens.ids[self.tokens.span(index)].numpy().tobytes())
        digest.update(targets.content(indices))
